"""Sends a closed load and an open one to the same server, which may stand still meanwhile, and saves what both saw.

    python3 workshop/08-open-and-closed/two_loads.py --stall 1

The server is Flask's own with the lab's app, on a free port of this machine; it is stopped (SIGSTOP) and continued.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RATE_RPS, PATH, START_S, TIMEOUT_S = 40, "/io?ms=20", 20.0, 10.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--stall", type=float, default=0.0, metavar="S", help="seconds that the server stands still (default: 0)"
    )
    parser.add_argument("--seconds", type=float, default=6.0, metavar="S", help="how long each load takes (default: 6)")
    asked = parser.parse_args()
    if not 0 <= asked.stall < asked.seconds <= 60:
        parser.error("the server must stand still for less time than each load takes, and that at most 60 seconds")
    port = free_port()
    with flask_server(port) as server:
        loads = {}
        for name, load in (("closed", closed_load), ("open", open_load)):
            stalling = threading.Thread(target=stand_still, args=(server, asked.seconds / 2, asked.stall))
            stalling.start()
            loads[name] = summary(load(port, asked.seconds))
            stalling.join()
    show(loads, asked.stall)
    save({"kind": "two-loads", "schema": 1, "stall_s": asked.stall, "seconds": asked.seconds, **loads})


def closed_load(port, seconds):
    """One user, who asks again as soon as the answer is there. Gives response times in ms."""
    end, times = time.monotonic() + seconds, []
    while time.monotonic() < end:
        times.append(response_ms(port, time.monotonic()))
    return times


def open_load(port, seconds):
    """Requests by the clock, each by a thread of its own. Times count from when a request was due."""
    times, threads, began = [], [], time.monotonic()
    for number in range(int(RATE_RPS * seconds)):
        due = began + number / RATE_RPS
        time.sleep(max(0.0, due - time.monotonic()))
        thread = threading.Thread(target=lambda due=due: times.append(response_ms(port, due)))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return times


def response_ms(port, since):
    """How long a request takes, in ms since then; a failure counts as the timeout."""
    try:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)) as connection:
            connection.request("GET", PATH)
            connection.getresponse().read()
    except OSError:
        return TIMEOUT_S * 1000
    return (time.monotonic() - since) * 1000


def stand_still(server, after_s, for_s):
    """Stop the server's process for so long."""
    if for_s:
        time.sleep(after_s)
        server.send_signal(signal.SIGSTOP)
        time.sleep(for_s)
        server.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def flask_server(port):
    """The lab's app under Flask's own server, for as long as the block lasts."""
    python = ROOT / ".venv/bin/python"
    if not python.exists():
        sys.exit("There is no .venv yet: ./lab doctor makes it.")
    command = [python, "-m", "flask", "--app", "app", "run", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=ROOT / "services/app", **quiet)
    try:
        deadline = time.monotonic() + START_S
        while response_ms(port, time.monotonic()) >= TIMEOUT_S * 1000:
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit("Flask's server did not start: ./lab doctor")
            time.sleep(0.1)
        yield server
    finally:
        server.send_signal(signal.SIGCONT)
        server.terminate()
        server.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def summary(times):
    """Count, percentiles and maximum of times in ms."""
    ordered = sorted(times)
    at = {f"p{share}_ms": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 1) for share in (50, 99)}
    return {"requests": len(ordered), **at, "max_ms": round(ordered[-1], 1)}


def show(loads, stall_s):
    print(f"The server stood still for {stall_s:g} s in the middle of each load.")
    print(f"{'load':8}{'requests':>10}{'p50':>12}{'p99':>12}{'largest':>12}")
    for name, seen in loads.items():
        print(f"{name:8}{seen['requests']:10}{seen['p50_ms']:9} ms{seen['p99_ms']:9} ms{seen['max_ms']:9} ms")


def save(data):
    folder = Path(os.environ.get("LAB_RESULTS") or ROOT / "results") / "workshop"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-two-loads.json"
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    print(f"Kept in {path}")


if __name__ == "__main__":
    main()
