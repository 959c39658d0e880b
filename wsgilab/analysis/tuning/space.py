"""Which settings a family of servers has, which of them are alike, and which are far apart. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from wsgilab.model.tuning import GREEN, GREENLETS, Setting

MOST_WORKERS, MOST_THREADS = 8, 16
SINGLE, THREADED = "sync", "gthread"
OTHER_KIND = 1.5
"""How far two worker classes are apart: as one that has almost three times as many workers."""


def settings_of(family: str, cpus: int) -> tuple[Setting, ...]:
    """Every setting of a family that makes sense on so many CPUs; of many workers, not every count."""
    counts = _counts(max(MOST_WORKERS, by_rule(cpus)))
    if family == "uwsgi":
        return tuple(Setting(family, "", workers, n) for workers in counts for n in range(1, MOST_THREADS + 1))
    threaded = [Setting(family, THREADED, workers, n) for workers in counts for n in range(2, MOST_THREADS + 1)]
    single = [Setting(family, SINGLE, workers) for workers in counts]
    return (*single, *threaded, *(Setting(family, GREEN, workers, GREENLETS) for workers in counts))


def _counts(most: int) -> list[int]:
    """1 to 8, then about four in each doubling, and the last one: nobody can tell 40 workers from 41."""
    counts = [1]
    while counts[-1] < most:
        counts.append(min(most, counts[-1] + _step(counts[-1])))
    return counts


def _step(workers: int) -> int:
    """From so many workers to the next count."""
    return 1 if workers < MOST_WORKERS else 2 ** (workers.bit_length() - 3)


def by_rule(cpus: int) -> int:
    """The number of workers that everybody quotes: 2n + 1 (gunicorn's documentation, "How many workers?")."""
    return 2 * cpus + 1


def rule_of_thumb(family: str, cpus: int) -> Setting:
    """That rule as a setting."""
    return Setting(family, "" if family == "uwsgi" else SINGLE, by_rule(cpus))


def distance(one: Setting, other: Setting) -> float:
    """How different two settings are: doublings of workers and of threads between them."""
    workers = abs(math.log2(one.workers / other.workers))
    if one.kind != other.kind:
        return OTHER_KIND + workers
    return workers + abs(math.log2(one.threads / other.threads))


def spread(settings: Sequence[Setting], count: int, known: Iterable[Setting] = ()) -> list[Setting]:
    """At most so many of them, always the one that is farthest from those chosen and from those `known` already.

    The first one of all, where nothing is known.
    """
    left, others = list(dict.fromkeys(settings)), list(known)
    far = [min((distance(one, other) for other in others), default=math.inf) for one in left]
    chosen = list[Setting]()
    while left and len(chosen) < count:
        at = max(range(len(left)), key=far.__getitem__)
        chosen.append(left.pop(at))
        far.pop(at)
        far = [min(before, distance(one, chosen[-1])) for one, before in zip(left, far, strict=True)]
    return chosen


def neighbours(setting: Setting, settings: Iterable[Setting]) -> list[Setting]:
    """Those next to it, the nearest first: about one step in workers, in threads, or of one for the other."""
    near = [other for other in settings if other != setting and _is_step(setting, other)]
    return sorted(near, key=lambda other: (distance(setting, other), other))


def _is_step(one: Setting, other: Setting) -> bool:
    if one.kind != other.kind:
        return one.workers == other.workers and (
            one.threads == other.threads or GREENLETS in (one.threads, other.threads)
        )
    workers, threads = other.workers - one.workers, other.threads - one.threads
    wide = max(1, round(one.threads / 4))
    if workers == 0:
        return abs(threads) == wide
    if abs(workers) <= _step(min(one.workers, other.workers)):
        return threads == 0 or abs(other.slots - one.slots) < one.workers
    return False
