"""Does a stall of the server reach the percentiles? A real server, stopped for 2 s of a 10 s window at 100 rps.

python benchmarks/coordinated_omission.py          reported against true, and how far apart

Load generators that wait for an answer before they send the next request leave out those that would have waited most
(Gil Tene's "coordinated omission"). What the figures must be follows from arithmetic: requests come every 10 ms, none
is served between stop and continue, and then as many at once as the server has slots. How long one of them takes is
what an undisturbed window before and one after showed, all of its distribution: with a fifth of the requests late,
the median of all of them is no longer the median of the others.
"""

from __future__ import annotations

import heapq
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from wsgilab.analysis import stats
from wsgilab.engines.local import LocalEngine
from wsgilab.lab.servers import load_lab
from wsgilab.machine.cpus import available
from wsgilab.machine.tools import find_k6
from wsgilab.machine.waiting import Stop
from wsgilab.measure.driving import Bench, measure_window
from wsgilab.measure.k6 import K6Generator
from wsgilab.measure.k6_command import K6
from wsgilab.measure.readings import take_reading
from wsgilab.model.window import Window, WindowPlan

ROOT = Path(__file__).resolve().parent.parent
SERVER = "gunicorn-gthread"
STALL_S, STALL_AT_S = 2.0, 3.0
PERCENTILES = (50.0, 95.0, 99.0)
PLAN = WindowPlan(SERVER, "io", 100.0, 1, 0, warmup_s=1.0, duration_s=10.0, timeout_s=10.0, grace_s=2.0)


def true_ms(stalled_s: tuple[float, float], slots: int, services_ms: Sequence[float], cpu_ms: float) -> list[float]:
    """Response times of all scheduled requests, ascending: first come, first served, nothing during the stall.

    A request takes a slot, its turn on the one CPU, and then waits out the rest of its time.
    """
    free_at, cpu_free_at = [0.0] * slots, 0.0
    times = []
    for number, service_ms in enumerate(services_ms):
        arrival = number / PLAN.rate_rps
        start = max(arrival, heapq.heappop(free_at))
        if stalled_s[0] <= start < stalled_s[1]:
            start = stalled_s[1]
        cpu_free_at = max(start, cpu_free_at) + cpu_ms / 1000
        end = cpu_free_at + (service_ms - cpu_ms) / 1000
        if stalled_s[0] <= end < stalled_s[1]:
            end = stalled_s[1]
        heapq.heappush(free_at, end)
        times.append((end - arrival) * 1000)
    return sorted(times)


def service_times_ms(clean: Sequence[Window]) -> list[float]:
    """As many as there are requests, spread as those of the undisturbed windows were, in a shuffled order."""
    count = round(PLAN.rate_rps * PLAN.duration_s)
    quantiles = [
        [stats.percentile_ms(window, 100 * (number + 0.5) / count) for number in range(count)] for window in clean
    ]
    times = [statistics.mean(each.value for each in same if each) for same in zip(*quantiles, strict=True)]
    random.Random(0).shuffle(times)
    return times


def at(percentile: float, ascending: Sequence[float]) -> float:
    """A percentile, interpolated as the lab does."""
    position = percentile / 100 * (len(ascending) - 1)
    below = int(position)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (ascending[above] - ascending[below]) * (position - below)


def stalled_window(bench: Bench, engine: LocalEngine) -> tuple[Window, tuple[float, float]]:
    """A window, and when its server was stopped and continued, in seconds since the first request."""
    (server,) = engine.servers
    exporter = engine.endpoint(server).exporter_url
    before = take_reading(exporter, None)
    assert before is not None
    due = before.requests + PLAN.rate_rps * (PLAN.warmup_s / 2 + STALL_AT_S)
    moments: list[float] = []

    def stall() -> None:
        while (now := take_reading(exporter, None)) and now.requests < due:
            time.sleep(0.05)
        master = engine._started[SERVER].process.pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        for number in (signal.SIGSTOP, signal.SIGCONT):
            moments.append(time.time())
            for pid in (master, *map(int, children)):
                os.kill(pid, number)
            time.sleep(STALL_S if number == signal.SIGSTOP else 0)

    thread = threading.Thread(target=stall)
    thread.start()
    window = measure_window(PLAN, server, bench).window
    thread.join()
    started = window.load.started_at if window.load else 0.0
    return window, (moments[0] - started, moments[1] - started)


def main() -> None:
    """A window before and one after for the service time, between them the stalled one."""
    lab, stop = load_lab(ROOT), Stop()
    servers = lab.select([SERVER])
    with LocalEngine(lab, servers, stop, ROOT / "services/app") as engine:
        engine.start()
        k6 = K6Generator(K6(str(find_k6()), lab.cpus("LOAD_CPUS") & available()))
        bench = Bench(engine, k6, stop)
        before = measure_window(PLAN, servers[0], bench).window
        window, stalled_s = stalled_window(bench, engine)
        after = measure_window(PLAN, servers[0], bench).window
    cpu_ms = before.usage.cpu_ms_per_request if before.usage else None
    truth = true_ms(stalled_s, servers[0].slots or 1, service_times_ms([before, after]), cpu_ms or 0.0)
    stalled = f"stopped from {stalled_s[0]:.2f} s to {stalled_s[1]:.2f} s"
    print(f"{SERVER}, {servers[0].slots} slots, {stalled}; the window is {window.void or 'valid'}")
    worst = 0.0
    for percentile in PERCENTILES:
        reported = stats.percentile_ms(window, percentile)
        assert reported is not None
        apart = reported.value / at(percentile, truth) - 1
        worst = max(worst, abs(apart))
        print(f"p{percentile:g}: reported {reported.value:7.1f} ms, true {at(percentile, truth):7.1f} ms, {apart:+.1%}")
    sys.exit(worst > 0.05)


if __name__ == "__main__":
    main()
