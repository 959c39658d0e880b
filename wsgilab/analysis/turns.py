"""Two servers that took turns in the same windows: the ratio of their figures. Pure.

A machine that others use changes its speed from second to second, and two windows one after the other meet two of them.
Turns of a tenth of a second meet the same. They say little of queues, which have no time to build up within a turn: so
such windows judge no objective, and no figure but the two that settle a gate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from wsgilab.analysis import stats
from wsgilab.analysis.figures import MEASURES
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import TABLE
from wsgilab.model.verdict import Turns
from wsgilab.model.window import Window

Pairs = list[tuple[Window, Window]]


def rows(windows: Sequence[Window], servers: Sequence[str]) -> Iterator[Turns]:
    """A row for each two servers that took turns, at each rate, for each figure that settles a gate.

    `servers` in their order: of two, the first is held against the second.
    """
    for (server, against, rate), pairs in _pairs(windows).items():
        if servers.index(server) > servers.index(against):
            continue
        for metric in (metric for metric in TABLE if metric.settles):
            measure = MEASURES[metric.key]
            measured = [(measure(one), measure(other)) for one, other in pairs]
            figures = [(now, was) for now, was in measured if now and was]
            now, was = (stats.typical(column) for column in _columns(figures))
            ratio = stats.paired_ratio(figures)
            yield Turns(server, against, rate, metric.key, now, was, ratio, len(figures))


def _columns(figures: Sequence[tuple[Interval, Interval]]) -> tuple[list[Interval], list[Interval]]:
    return [now for now, _ in figures], [was for _, was in figures]


def _pairs(windows: Sequence[Window]) -> dict[tuple[str, str, float], Pairs]:
    """The two windows of each time that servers took turns, where both can be trusted: by server, other, and rate."""
    known = {_key(window, window.plan.server): window for window in windows if _holds(window)}
    pairs: dict[tuple[str, str, float], Pairs] = defaultdict(list)
    for window in known.values():
        if other := known.get(_key(window, window.plan.turns_with)):
            pairs[window.plan.server, other.plan.server, window.plan.rate_rps].append((window, other))
    return pairs


def _key(window: Window, server: str) -> tuple[str, float, int]:
    return server, window.plan.rate_rps, window.plan.round


def _holds(window: Window) -> bool:
    """Whether it tells of turns. With requests that were dropped, the two lose step."""
    load = window.load
    return bool(window.plan.turns_with and not window.void and not window.died and load and not load.dropped)
