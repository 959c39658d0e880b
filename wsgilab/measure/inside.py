"""What went on inside a server in one window, out of the readings before, during and after it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from wsgilab.measure.readings import Reading
from wsgilab.model.window import Inside

IDLE_SPAN_S = 2.0
"""A shorter time between two windows tells nothing of what a server uses by itself."""


def to_inside(readings: Sequence[Reading], measured: Sequence[Reading], rested: Reading | None = None) -> Inside:
    """The account of a window.

    `measured`: those of its readings that fell into the part that counts; `rested`: the last reading of its server in
    the window before.
    """
    before, after = readings[0], readings[-1]
    lives = _lives(readings)
    at_each = [[life for life in lives if life.is_there(number, reading.at)] for number, reading in enumerate(readings)]
    connections = [reading.connections for reading in readings if reading.connections is not None]
    peaks = [life.peak for life in lives]
    started = [life for life in lives if life.started_at is not None and life.started_at > before.at]
    start_cpu_s = [life.start_cpu_s for life in started if life.start_cpu_s]
    return Inside(
        at_once=max((sum(life.peak for life in there) for there in at_each), default=0) or None,
        at_once_in_one_process=max(peaks, default=0) or None,
        workers_min=min(map(len, at_each)) if lives else None,
        workers_max=max(map(len, at_each)) if lives else None,
        worker_starts=len(started),
        worker_ends=_grown(before.worker_ends, after.worker_ends),
        app_statuses=_grown(before.statuses, after.statuses),
        app_time_ms={
            _milliseconds(edge): count - before.seconds_buckets.get(edge, 0.0)
            for edge, count in after.seconds_buckets.items()
        },
        connections_max=int(max(connections)) if connections else None,
        start_cpu_s=fmean(start_cpu_s) if start_cpu_s else None,
        idle_cores=idle_cores(rested, before) if rested else None,
        slots_configured=None if after.slots_configured is None else int(after.slots_configured),
        worker_timeout_s=after.worker_timeout_s,
        cpus_busy=_cpus_busy(measured if len(measured) >= 2 else readings),
        memory_limit_mb=None if after.memory_limit_bytes is None else after.memory_limit_bytes / 1e6,
    )


def idle_cores(rested: Reading, before: Reading) -> float | None:
    """CPUs in use from the end of one window to the beginning of the next, when only its health was asked for.

    None where a start falls into that time, or may: what that costs is another figure.
    """
    span_s = before.at - rested.at
    if rested.start_time != before.start_time or before.worker_ends or span_s < IDLE_SPAN_S:
        return None
    if before.requests - rested.requests > 1 + span_s:  # more than a health check a second
        return None
    return max(0.0, before.own_cpu_s - rested.own_cpu_s) / span_s


@dataclass
class _Life:
    """One worker process in this window."""

    started_at: float | None
    first: int
    """The number of the first reading that names it."""
    last: int = -1
    """The number of the last reading in which it lived; -1: only its end was seen."""
    peak: int = 0
    """Requests inside the app at once, at most, in this window."""
    start_cpu_s: float | None = None

    def is_there(self, number: int, at: float) -> bool:
        """Whether it lived at that reading, known then or not: a worker is known from its first request on."""
        began = self.first <= number if self.started_at is None else self.started_at <= at
        return began and number <= self.last


def _lives(readings: Sequence[Reading]) -> list[_Life]:
    # A number may be given out again within a window, a number and a start may not.
    lives: dict[tuple[int, float | None], _Life] = {}
    counted: dict[tuple[int, float | None], Mapping[int, float]] = {}
    for number, reading in enumerate(readings):
        for pid, worker in reading.workers.items():
            identity = pid, worker.started_at
            life = lives.setdefault(identity, _Life(worker.started_at, number))
            life.start_cpu_s = worker.start_cpu_s or life.start_cpu_s
            if number == 0:
                counted[identity] = worker.arrivals
            if worker.living:
                life.last = number
            so_far = counted.get(identity, {})
            grown = (inside for inside, count in worker.arrivals.items() if count > so_far.get(inside, 0.0))
            life.peak = max(life.peak, max(grown, default=0))
    return list(lives.values())


def _grown(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, int]:
    growth = {name: round(count - before.get(name, 0.0)) for name, count in after.items()}
    return {name: count for name, count in growth.items() if count > 0}


def _milliseconds(edge_s: str) -> str:
    return edge_s if edge_s == "+Inf" else f"{float(edge_s) * 1000:g}"


def _cpus_busy(readings: Sequence[Reading]) -> float | None:
    first, last = readings[0], readings[-1]
    if first.cpus_busy_s is None or last.cpus_busy_s is None or last.at <= first.at:
        return None
    return (last.cpus_busy_s - first.cpus_busy_s) / (last.at - first.at)
