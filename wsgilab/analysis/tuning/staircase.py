"""A setting's capacity by walking up and down around it: a step up after a window that kept the SLO, one down after one
that missed it (Dixon & Mood, JASA 1948). Pure.

Wherever the walk turns, two windows have the capacity between them: each turn is one measurement of it, and several
make an interval. Steps are not all of one length, or every turn would be found at the same few rates and look surer
than it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from zlib import crc32

from wsgilab.analysis import stats
from wsgilab.model.interval import Interval
from wsgilab.model.tuning import Attempt, Ending, Setting

STEP = math.log(1.04)
LONGEST = 2
"""Steps at once, at most, while the walk has not turned yet: it may have begun far away."""
MOST_VOID = 3
"""Void windows one after the other, after which a walk has come to its end: its next rate cannot be offered here."""


def next_rate(setting: Setting, attempts: Sequence[Attempt], start_rps: float) -> float:
    """The rate of the next window. `attempts`: the windows of this walk so far."""
    rate, same_way, last = start_rps, 0, 0
    for number, attempt in enumerate(attempts):
        way = direction(attempt)
        if way == 0:
            continue
        rate = attempt.trial.rate_rps
        same_way = same_way + 1 if way == last else 0
        turned = any(direction(before) == -way for before in attempts[:number])
        length = 1 if turned else min(LONGEST, 2**same_way)
        rate *= math.exp(way * length * STEP * _dither(setting, number))
        last = way
    return max(1.0, float(f"{rate:.4g}"))


def turns(attempts: Sequence[Attempt]) -> list[Interval]:
    """The capacity at each turn of a walk; no window belongs to two of them.

    Of a walk that only went up until no window counted any more, the last rate that was kept, as a bound from below.
    """
    found: list[Interval] = []
    before: Attempt | None = None
    for attempt in attempts:
        if direction(attempt) == 0:
            continue
        if before is not None and direction(before) == -direction(attempt):
            found.append(Interval(math.sqrt(before.trial.rate_rps * attempt.trial.rate_rps)))
            before = None
        else:
            before = attempt
    kept = [attempt.trial.rate_rps for attempt in attempts if attempt.ending is Ending.KEPT]
    return [Interval(max(kept), censored=True)] if kept and not found and has_come_to_its_end(attempts) else found


def has_come_to_its_end(attempts: Sequence[Attempt]) -> bool:
    """Whether the last windows of a walk were void, one after the other."""
    last = attempts[-MOST_VOID:]
    return len(last) == MOST_VOID and all(attempt.ending is Ending.VOID for attempt in last)


def capacity(attempts: Sequence[Attempt]) -> Interval | None:
    """The capacity by all turns, or what it is at least; None before the first."""
    return stats.typical(turns(attempts))


def direction(attempt: Attempt) -> int:
    """1 after a window that kept the SLO, -1 after one that did not, 0 where it says nothing."""
    if attempt.ending is Ending.VOID:
        return 0
    return 1 if attempt.ending is Ending.KEPT else -1


def _dither(setting: Setting, number: int) -> float:
    """A length between half a step and one and a half, which looks random and is the same each time."""
    return 0.5 + crc32(f"{setting.name} {number}".encode()) % 1000 / 1000
