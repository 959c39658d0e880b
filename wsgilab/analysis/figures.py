"""The figures of a window, and those of all windows of one server under one rate. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from wsgilab.analysis import stats
from wsgilab.model.interval import Interval
from wsgilab.model.verdict import FIGURES, LATENCIES
from wsgilab.model.window import Window

T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """One window and the figures it gives."""

    window: Window
    figures: Mapping[str, Interval | None]


Grouped = Mapping[tuple[str, float], Sequence[Measured]]


def group(measured: Sequence[Measured]) -> Grouped:
    """The valid windows by server and rate."""
    grouped: dict[tuple[str, float], list[Measured]] = defaultdict(list)
    for each in measured:
        if each.window.void is None:
            grouped[each.window.plan.server, each.window.plan.rate_rps].append(each)
    return grouped


def window_figures(window: Window) -> dict[str, Interval | None]:
    """What one window gives, by the names in FIGURES; a cut-off percentile is censored."""
    usage = window.usage
    costs = ("cpu_ms_per_request", "memory_mb", "service_ms")
    values = {name: getattr(usage, name) if usage else None for name in costs}
    return {
        "p50_ms": stats.percentile_ms(window, 50),
        "p90_ms": stats.percentile_ms(window, 90),
        "p95_ms": stats.percentile_ms(window, 95),
        "p99_ms": stats.percentile_ms(window, 99),
        "p99_9_ms": stats.percentile_ms(window, 99.9),
        **{name: None if value is None else Interval(value) for name, value in values.items()},
    }


def load_figures(measured: Sequence[Measured]) -> dict[str, Interval | None]:
    # What was slower than the timeout counts as the timeout.
    slowest_ms = max((each.window.plan.timeout_s * 1000 for each in measured), default=math.inf)
    figures = {
        name: stats.typical(
            _present(each.figures.get(name) for each in measured), slowest_ms if name in LATENCIES else math.inf
        )
        for name in FIGURES
    }
    figures["goodput_rps"] = stats.mean(_present(stats.goodput_rps(each.window) for each in measured))
    figures["failed_ratio"] = stats.proportion(_present(stats.failures(each.window) for each in measured))
    return figures


def _present(values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]
