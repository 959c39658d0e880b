"""What went on inside a server in one window, out of the readings before, during and after it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsgilab.measure.readings import Reading
from wsgilab.model.window import Inside


def to_inside(readings: Sequence[Reading], measured: Sequence[Reading]) -> Inside:
    """The account of a window. `measured`: those of its readings that fell into the part that counts."""
    before, after = readings[0], readings[-1]
    lives = _lives(readings)
    at_each = [[life for life in lives if life.is_there(number, reading.at)] for number, reading in enumerate(readings)]
    connections = [reading.connections for reading in readings if reading.connections is not None]
    peaks = [life.peak for life in lives]
    return Inside(
        at_once=max((sum(life.peak for life in there) for there in at_each), default=0) or None,
        at_once_in_one_process=max(peaks, default=0) or None,
        workers_min=min(map(len, at_each)) if lives else None,
        workers_max=max(map(len, at_each)) if lives else None,
        worker_starts=sum(life.started_at is not None and life.started_at > before.at for life in lives),
        worker_ends=_grown(before.worker_ends, after.worker_ends),
        app_statuses=_grown(before.statuses, after.statuses),
        app_time_ms={
            _milliseconds(edge): count - before.seconds_buckets.get(edge, 0.0)
            for edge, count in after.seconds_buckets.items()
        },
        connections_max=int(max(connections)) if connections else None,
        cpus_busy=_cpus_busy(measured if len(measured) >= 2 else readings),
        memory_limit_mb=None if after.memory_limit_bytes is None else after.memory_limit_bytes / 1e6,
    )


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
