"""Memory that grows with every request."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from wsgilab.analysis.causes.evidence import Evidence
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.interval import Interval
from wsgilab.model.window import Sample, Usage, Window

LEAST_MB = 16.0
"""Growth in one window that is not worth a word: arenas, caches and code that the first requests load."""
LEAST_READINGS = 3
STEADY = 0.5
"""The second half of a window must grow at least this many times as fast, per request, as all of it."""
LIKE_HALF_A_GB = 512.0


def grows(evidence: Evidence) -> Cause | None:
    """Memory grew steadily in every window, by the same for each request."""
    growths = [growth_mb(window) for window in evidence.windows]
    if not growths or not all(growths):
        return None
    each_mb = median(growth for growth in growths if growth is not None)
    left_mb, until = LIKE_HALF_A_GB, f"each {LIKE_HALF_A_GB:.0f} MB"
    if limit := next((inside.memory_limit_mb for inside in evidence.insides if inside.memory_limit_mb), None):
        left_mb = max(0.0, limit - max(usage.memory_mb or 0.0 for usage in evidence.usages))
        until = f"the limit of {limit:.0f} MB"
    requests = left_mb / each_mb
    room = f"about {requests:.0f} requests until {until}" if limit else f"{until} last about {requests:.0f} requests"
    return Cause(Kind.DEATH, f"memory grew by {_size(each_mb)} per request: {room}", explains=False, of_app=True)


def growth_mb(window: Window) -> float | None:
    """MB per request, where memory grew steadily in the window; None where it did not, or nothing tells.

    The exporter reads the memory of a process now and then, and repeats it in between: only readings that differ from
    the one before count. Threads that wait hold memory too, and so do workers that are added: a window that ended with
    requests in flight, or whose workers changed, shows nothing.
    """
    samples = window.usage.samples if window.usage and _has_the_same_workers(window.usage) else ()
    fresh = [after for before, after in pairwise(samples) if after.memory_bytes != before.memory_bytes]
    if len(fresh) < LEAST_READINGS or samples[-1].in_flight > 0:
        return None
    first, middle, last = fresh[0], fresh[len(fresh) // 2], fresh[-1]
    if (last.memory_bytes - first.memory_bytes) / 1e6 < LEAST_MB:
        return None
    whole, later = _per_request(first, last), _per_request(middle, last)
    return whole if whole and later and later >= STEADY * whole else None


def _has_the_same_workers(usage: Usage) -> bool:
    inside = usage.inside
    return inside is not None and inside.workers_min == inside.workers_max and not inside.worker_starts


def _per_request(before: Sample, after: Sample) -> float | None:
    requests = after.requests - before.requests
    return (after.memory_bytes - before.memory_bytes) / 1e6 / requests if requests > 0 else None


def _size(mb: float) -> str:
    return words.amount(Interval(mb), "MB") if mb >= 0.1 else words.amount(Interval(mb * 1000), "kB")
