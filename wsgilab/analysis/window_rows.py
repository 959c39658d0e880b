"""Windows as verdict.json keeps them: one row each, in the order in which they were measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from wsgilab.analysis import stats
from wsgilab.analysis.figures import Measured
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import Mean, Metric, Place, shown
from wsgilab.model.window import Window
from wsgilab.model.window_row import Moment, WindowRow


def rows(measured: Sequence[Measured]) -> Iterator[WindowRow]:
    """One row for each window and its figures."""
    for one in sorted(measured, key=lambda one: one.window.plan.order):
        window, plan = one.window, one.window.plan
        yield WindowRow(
            server=plan.server,
            rate_rps=plan.rate_rps,
            round=plan.round,
            order=plan.order,
            duration_s=plan.duration_s,
            void=window.void,
            died=window.died,
            notes=window.notes,
            figures={metric.key: _written(metric, one.figures[metric.key]) for metric in shown(Place.WINDOW)},
            moments=tuple(_moments(window)),
            turns_with=plan.turns_with,
        )


def _written(metric: Metric, figure: Interval | None) -> Interval | None:
    """The figure as it was read; one that was divided here without digits that mean nothing."""
    if figure is None or metric.mean is Mean.GEOMETRIC:
        return figure
    return Interval(stats.tidy(figure.value))


def _moments(window: Window) -> Iterator[Moment]:
    """What happened between each two readings; nothing where the window has none or k6 gave no result."""
    if window.usage is None or window.load is None or not window.load.started_at:
        return
    for before, after in pairwise(window.usage.samples):
        span_s = after.at - before.at
        if span_s <= 0 or after.requests < before.requests:
            continue  # the server was started anew: its counters began again
        yield Moment(
            at_s=round(after.at - window.load.started_at, 1),
            answered_rps=round((after.requests - before.requests) / span_s, 1),
            in_flight=round(after.in_flight + after.listen_queue, 1),
        )
