"""When a window shows k6 and not the server: k6 was short of CPU, or behind its schedule.

Each rule is one function: a sentence with the numbers, or None. That k6 runs out of VUs because answers are late is
none of them: it is the server's failure.
"""

from __future__ import annotations

from wsgilab.model.window import LoadResult
from wsgilab.model.words import counted

K6_CPU_SHARE = 0.9
"""Of the CPU time that k6 could have had over its whole run. Above it k6 itself was the slow part: already at half a
core its own p99 grows by milliseconds."""
WAIT_OVER_CPU = 1.0
WAIT_SHARE = 0.15
"""k6 is starved when it waits for a CPU for longer than it gets one: it has less than half of what it wants. Its
schedule alone does not show it: with a busy loop on its core k6 sends each request a few milliseconds late, and reads
each answer a few late, far below LAG_MS. The share of its whole run keeps a window with hardly any load from being
judged by how k6 started."""
LAG_MS = 100.0
"""How late k6 may send one request. Lateness hides in no figure of the server (a late request is timed from when it
left), so it would be lost; scheduling hiccups of a shared machine stay well below this."""
SCHEDULE_SHARE = 0.01
"""Requests that k6 may owe its schedule. More would move a p99 by themselves."""


def generator_limit(load: LoadResult, cpus: int) -> str | None:
    """Why the generator was the limit, as one sentence; None where it was not. `cpus`: how many it may use."""
    return starved_generator(load, cpus) or crowded_generator(load) or late_generator(load) or unsent_requests(load)


def starved_generator(load: LoadResult, cpus: int) -> str | None:
    """k6 used all the CPU it could get."""
    if load.wall_s <= 0:
        return None
    cores = load.k6_cpu_s / load.wall_s
    if cores < K6_CPU_SHARE * cpus:
        return None
    return f"k6 was short of CPU: it used {cores:.2f} of its {counted(cpus, 'core')}, so it measured itself"


def crowded_generator(load: LoadResult) -> str | None:
    """Other programs used k6's CPUs."""
    if load.k6_wait_s <= max(WAIT_OVER_CPU * load.k6_cpu_s, WAIT_SHARE * load.wall_s):
        return None
    return f"k6 was short of CPU: ready to run, it waited {load.k6_wait_s:.1f} s, and ran for {load.k6_cpu_s:.1f} s"


def late_generator(load: LoadResult) -> str | None:
    """k6 sent requests later than its schedule said."""
    if load.lag_ms <= LAG_MS:
        return None
    return f"k6 fell behind its schedule by {load.lag_ms:.0f} ms (bound {LAG_MS:.0f} ms)"


def unsent_requests(load: LoadResult) -> str | None:
    """k6 neither sent nor dropped what the schedule called for. (Dropped: all its users were waiting for answers.)"""
    missing = load.scheduled - load.sent - load.dropped
    if missing <= max(2, SCHEDULE_SHARE * load.scheduled):
        return None
    return f"k6 fell behind its schedule: {missing} of {load.scheduled} requests were never started"
