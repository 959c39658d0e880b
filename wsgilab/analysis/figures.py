"""The figures of a window, and those of all windows of one server under one rate. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from wsgilab.analysis import starts, stats
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import TABLE, Mean, Metric, Place, shown
from wsgilab.model.window import Window

T = TypeVar("T")


def _usage(name: str, window: Window) -> Interval | None:
    return _known(getattr(window.usage, name) if window.usage else None)


def _failed(window: Window) -> Interval | None:
    counts = stats.failures(window)
    return _known(counts and counts[0] / counts[1])


def _known(value: float | None) -> Interval | None:
    return None if value is None else Interval(value)


MEASURES: Mapping[str, Callable[[Window], Interval | None]] = {
    **{
        metric.key: partial(stats.percentile_ms, percentile=metric.percentile)
        for metric in TABLE
        if metric.percentile is not None
    },
    "goodput_rps": lambda window: _known(stats.goodput_rps(window)),
    "failed_ratio": _failed,
    "cpu_ms_per_request": partial(_usage, "cpu_ms_per_request"),
    "memory_mb": partial(_usage, "memory_mb"),
    "service_ms": partial(_usage, "service_ms"),
}
"""How each metric is measured in one window. A percentile that was cut off is censored."""


@dataclass(frozen=True)
class Measured:
    """One window and the figures it gives."""

    window: Window
    figures: Mapping[str, Interval | None]


Grouped = Mapping[tuple[str, float], Sequence[Measured]]


def by_server_and_rate(measured: Sequence[Measured]) -> Grouped:
    """The valid windows by server and rate, without those in which servers took turns."""
    grouped: dict[tuple[str, float], list[Measured]] = defaultdict(list)
    for one in measured:
        if one.window.void is None and not one.window.plan.turns_with:
            grouped[one.window.plan.server, one.window.plan.rate_rps].append(one)
    return grouped


def window_figures(window: Window) -> dict[str, Interval | None]:
    """What one window gives, by the keys of the metrics."""
    return {metric.key: MEASURES[metric.key](window) for metric in shown(Place.LOAD)}


def values(metric: Metric, measured: Iterable[Measured]) -> list[Interval]:
    """What windows say of a metric: one value for each, or one for each start where the metric belongs to that."""
    known = [(one.window, figure) for one in measured if (figure := one.figures[metric.key])]
    return starts.means(known) if metric.per_start else [figure for _, figure in known]


def combined(measured: Sequence[Measured], place: Place = Place.LOAD) -> dict[str, Interval | None]:
    """What several windows give together, by the keys of the metrics that appear in this place."""
    return {metric.key: _mean(metric, measured) for metric in shown(place)}


def _mean(metric: Metric, measured: Sequence[Measured]) -> Interval | None:
    if metric.mean is Mean.SHARE:
        return stats.proportion(_present(stats.failures(one.window) for one in measured))
    found = values(metric, measured)
    if metric.mean is Mean.ARITHMETIC:
        return stats.mean([figure.value for figure in found], 1.0 if metric.unit == "ratio" else math.inf)
    if metric.percentile is None:
        return stats.typical(found)
    # What was slower than the timeout counts as the timeout.
    slowest_ms = max((one.window.plan.timeout_s * 1000 for one in measured), default=math.inf)
    return stats.typical(found, slowest_ms)


def _present(values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]
