"""What the exporter costs: milliseconds per scrape, and the share of a core at one scrape a second.

    python benchmarks/exporter.py [--json] [--seconds 10] [--restarts 100]

Real gunicorn, with 4 and with 16 workers; then workers are killed one by one, each after it has answered requests.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import statistics
import sys
import time

from real_server import Gunicorn, gunicorn

LIMITS = "limits: 0.5 % of a core; 25 ms with 16 workers; 50 ms after 100 restarts"


def main() -> int:
    parser = argparse.ArgumentParser(description="What the exporter costs.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--seconds", type=int, default=10, help="how long to scrape once a second (default 10)")
    parser.add_argument("--restarts", type=int, default=100, help="how many workers to kill (default 100)")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for workers in (4, 16):
        with gunicorn("wsgi:application", workers, exporter=True) as server:
            until_all_have_answered(server, workers)
            figures |= {f"{workers} workers, {key}": value for key, value in scrapes_ms(server).items()}
            figures[f"{workers} workers, share of a core, %"] = 100 * share_of_a_core(server, options.seconds)
            if workers == 4:
                restart_workers(server, workers, options.restarts)
                until_all_have_answered(server, workers)  # the last one would still be importing, on our CPUs
                after = {f"after {options.restarts} restarts, {k}": v for k, v in scrapes_ms(server).items()}
                figures |= after
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:44} {value:8.2f}")
        print(LIMITS)
    return 0


def until_all_have_answered(server: Gunicorn, workers: int) -> None:
    """Requests until as many workers as there are have most likely had one."""
    while len(server.workers()) < workers:
        time.sleep(0.1)
    for _ in range(workers * 20):
        server.get("/")


def scrapes_ms(server: Gunicorn, count: int = 40) -> dict[str, float]:
    """The first scrape, and the median and the longest of all, as a client sees them."""
    times_ms = []
    for _ in range(count):
        started = time.perf_counter()
        server.metrics()
        times_ms.append((time.perf_counter() - started) * 1000)
    return {
        "first scrape, ms": times_ms[0],
        "median scrape, ms": statistics.median(times_ms),
        "longest scrape, ms": max(times_ms),
    }


def share_of_a_core(server: Gunicorn, seconds: int) -> float:
    """CPU time of the exporter over wall-clock time, at one scrape a second on one connection, as Prometheus does."""
    connection = http.client.HTTPConnection("127.0.0.1", server.exporter_port, timeout=10)
    before, started = exporter_cpu_s(connection), time.monotonic()
    for second in range(1, seconds + 1):
        time.sleep(max(0.0, started + second - time.monotonic()))
        after = exporter_cpu_s(connection)
    connection.close()
    return (after - before) / (time.monotonic() - started)


def exporter_cpu_s(connection: http.client.HTTPConnection) -> float:
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    found = re.search(r"^exporter_cpu_seconds_total (\S+)", text, re.MULTILINE)
    if not found:
        raise ValueError("the exporter does not tell its own CPU time")
    return float(found[1])


def restart_workers(server: Gunicorn, workers: int, restarts: int) -> None:
    """Kill one worker after the other, waiting for each successor; nobody scrapes meanwhile."""
    for _ in range(restarts):
        before = server.workers()
        os.kill(min(before), signal.SIGKILL)
        while len(now := server.workers()) < workers or min(before) in now:
            time.sleep(0.02)
        for _ in range(4):
            server.get("/")


if __name__ == "__main__":
    sys.exit(main())
