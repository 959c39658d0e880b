"""What belongs to the start of a server and not to a window: every window of one start repeats its luck. Pure.

How much memory a process takes is decided, to within a few per mille, when it starts: by where its libraries and arenas
come to lie, by the order of its imports. Forty windows of one start are then one value, forty times. So windows of one
start are averaged first, and intervals are over starts (Kalibera & Jones, ISMM 2013: repeat at the level where the
variation arises). Times and CPU per request vary from window to window; their unit of repetition is the window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from wsgilab.analysis import stats
from wsgilab.model.interval import Interval
from wsgilab.model.window import Window


def count(windows: Iterable[Window]) -> int:
    """How many starts of their server these windows belong to."""
    return len({_start(window) for window in windows})


def means(figures: Iterable[tuple[Window, Interval]]) -> list[Interval]:
    """One value for each start: the geometric mean of its windows, which have no interval of their own."""
    by_start: dict[Hashable, list[Interval]] = defaultdict(list)
    for window, figure in figures:
        by_start[_start(window)].append(figure)
    return [_mean(of_one) for of_one in by_start.values()]


def _mean(figures: Sequence[Interval]) -> Interval:
    mean = stats.typical(figures)
    assert mean
    return Interval(mean.value, censored=mean.censored)


def _start(window: Window) -> Hashable:
    """The start that a window belongs to; where nobody read it, one of its own."""
    return window.server_start or ("unknown", window.plan.round, window.plan.order)
