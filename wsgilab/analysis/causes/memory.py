"""Memory that grows with every request, told from what the first requests load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from wsgilab.analysis import stats
from wsgilab.analysis.causes.evidence import Evidence
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.interval import Interval
from wsgilab.model.window import Sample, Usage, Window

LEAST_MB = 16.0
"""Growth that is not worth a word: arenas, caches and code that requests load now and then."""
LEAST_STEPS, LEAST_REQUESTS = 4, 50
"""Fewer steps from reading to reading in a window, or fewer requests in all, tell no growth from a start: each of the
processes of a server loads code with its first requests."""
STEADY = 0.8
"""What is loaded at first comes ever slower: the second half of a window must grow at least so many times as fast, per
request, as all of it."""
LIKE_HALF_A_GB = 512.0


@dataclass(frozen=True)
class Step:
    """From one reading to the next."""

    mb: float
    requests: float

    @property
    def per_request(self) -> float:
        """MB for each request."""
        return self.mb / self.requests


def grows(evidence: Evidence) -> Cause | None:
    """Memory grew from reading to reading in every window, by the same for each request."""
    each_mb = growth_mb(evidence.windows)
    if each_mb is None:
        return None
    left_mb, until = LIKE_HALF_A_GB, f"each {LIKE_HALF_A_GB:.0f} MB"
    if limit := next((inside.memory_limit_mb for inside in evidence.insides if inside.memory_limit_mb), None):
        left_mb = max(0.0, limit - max(usage.memory_mb or 0.0 for usage in evidence.usages))
        until = f"the limit of {limit:.0f} MB"
    requests = left_mb / each_mb
    room = f"about {requests:.0f} requests until {until}" if limit else f"{until} last about {requests:.0f} requests"
    return Cause(Kind.DEATH, f"memory grew by {_size(each_mb)} per request: {room}", explains=False, of_app=True)


def growth_mb(windows: Sequence[Window]) -> float | None:
    """MB per request, where memory grew from each reading to the next in all these windows; None where it did not.

    Threads that wait hold memory too, and so do workers that are added: a window that ended with requests in flight, or
    whose workers changed, shows nothing.
    """
    by_window = [_steps(window) for window in windows]
    steps = [step for own in by_window for step in own]
    if not by_window or not all(map(_is_steady, by_window)):
        return None
    if sum(step.mb for step in steps) < LEAST_MB or sum(step.requests for step in steps) < LEAST_REQUESTS:
        return None
    growth = stats.mean([step.per_request for step in steps])
    return growth.value if growth and growth.low is not None and growth.low > 0 else None


def _steps(window: Window) -> list[Step]:
    """From reading to reading, without the first step: it holds what the first requests load."""
    samples = window.usage.samples if window.usage and _has_the_same_workers(window.usage) else ()
    if not samples or samples[-1].in_flight > 0 or not all(sample.rss_bytes for sample in samples):
        return []
    return [_step(before, after) for before, after in pairwise(samples) if after.requests > before.requests][1:]


def _step(before: Sample, after: Sample) -> Step:
    return Step((after.rss_bytes - before.rss_bytes) / 1e6, after.requests - before.requests)


def _is_steady(steps: Sequence[Step]) -> bool:
    if len(steps) < LEAST_STEPS or any(step.mb <= 0 for step in steps):
        return False
    later = [step.per_request for step in steps[len(steps) // 2 :]]
    return fmean(later) >= STEADY * fmean(step.per_request for step in steps)


def _has_the_same_workers(usage: Usage) -> bool:
    inside = usage.inside
    return inside is not None and inside.workers_min == inside.workers_max and not inside.worker_starts


def _size(mb: float) -> str:
    return words.amount(Interval(mb), "MB") if mb >= 0.1 else words.amount(Interval(mb * 1000), "kB")
