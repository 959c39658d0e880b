"""The figures of each kind of request that the traffic is made of, and whether it keeps an objective of its own. Pure.

What k6 and the middleware know by name makes the same figures as all requests together: a window is looked at as if
only the requests of that name had been sent in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from wsgilab.analysis.figures import MEASURES, Measured, combined
from wsgilab.analysis.objective import judge
from wsgilab.model.app_file import MOST_REQUESTS
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import Place, shown
from wsgilab.model.outcomes import Rating
from wsgilab.model.request_row import RequestRow
from wsgilab.model.slo import Slo
from wsgilab.model.window import RequestCost, Window

WORST_FIRST = (Rating.BAD, Rating.INCONCLUSIVE)


def rows(windows: Sequence[Window], objectives: Mapping[str, Slo]) -> tuple[RequestRow, ...]:
    """A row for each name, in the order of the traffic; then for those that only `objectives` knows."""
    sent = [name for window in windows if window.load for name in window.load.by_request]
    names = islice(dict.fromkeys([*sent, *objectives]), MOST_REQUESTS)
    return tuple(_row(name, windows, objectives.get(name)) for name in names)


def only(window: Window, name: str) -> Window | None:
    """The window as if only the requests of this name had been sent; None where there were none."""
    if window.load is None:
        return window if window.died else None
    sent = window.load.by_request.get(name)
    if sent is None or not sent.scheduled:
        return None
    load = replace(window.load, scheduled=sent.scheduled, sent=sent.sent, ok=sent.ok, ladder_ms=sent.ladder_ms)
    cost = _cost(window, name)
    service_ms = cost.busy_s / cost.requests * 1000 if cost else None
    usage = window.usage and replace(window.usage, service_ms=service_ms)
    return replace(window, load=load, usage=usage)


def worst(overall: tuple[Rating, str], requests: Sequence[RequestRow]) -> tuple[Rating, str]:
    """(rating, why) of all requests together and of those with an objective of their own; the reason names these."""
    judged = [overall, *((row.rating, f"{row.request}: {row.why}") for row in requests if row.rating)]
    for rating in WORST_FIRST:
        if sentences := [why for found, why in judged if found is rating]:
            return rating, "; ".join(sentences)
    return overall


def _row(name: str, windows: Sequence[Window], objective: Slo | None) -> RequestRow:
    alone = [found for window in windows if (found := only(window, name))]
    measured = [Measured(window, dict(_figures(window, name))) for window in alone]
    figures = combined(measured, Place.REQUEST)
    rating, why = judge(objective, figures, [one.figures for one in measured]) if objective else (None, "")
    return RequestRow(
        request=name,
        scheduled=sum(window.load.scheduled for window in alone if window.load),
        slo=str(objective or ""),
        rating=rating,
        why=why,
        figures=figures,
    )


def _figures(alone: Window, name: str) -> Iterator[tuple[str, Interval | None]]:
    """Those of a window with the requests of this name alone."""
    for metric in shown(Place.REQUEST):
        if metric.key in MEASURES:
            yield metric.key, MEASURES[metric.key](alone)
    cost = _cost(alone, name)
    cpu_s = cost.cpu_s if cost else None
    everything_s = sum(one.cpu_s or 0.0 for one in alone.usage.by_request.values()) if alone.usage else 0.0
    yield "app_cpu_ms", Interval(cpu_s / cost.requests * 1000) if cost and cpu_s is not None else None
    yield "app_cpu_ratio", Interval(cpu_s / everything_s) if cpu_s is not None and everything_s else None


def _cost(window: Window, name: str) -> RequestCost | None:
    cost = window.usage.by_request.get(name) if window.usage else None
    return cost if cost and cost.requests > 0 else None
