"""Whether measured figures keep the service level objective. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wsgilab.model.interval import Interval
from wsgilab.model.metrics import METRICS
from wsgilab.model.outcomes import Rating
from wsgilab.model.slo import FIGURE_OF, Slo, bound_text

CLEAR_MARGIN = 2.0
"""Where every window is this factor on the same side of the bound, more than windows of one server differ from each
other, no interval is needed: it may be absent (one window), or wide because a few windows differ by much."""


def judge(
    slo: Slo, figures: Mapping[str, Interval | None], windows: Sequence[Mapping[str, Interval | None]] = ()
) -> tuple[Rating, str]:
    """The rating, and one sentence why, for the figures of one server under one load.

    A term holds when the whole interval is under its bound and fails when the whole interval is not; an interval that
    holds the bound is inconclusive, unless every one of `windows` (each with its own figures) is clearly on one side.
    One term that fails is enough; all must hold.
    """
    judged = []
    for metric, bound in slo.terms:
        name = FIGURE_OF[metric]
        measured = [figure for window in windows if (figure := window.get(name)) is not None]
        judged.append(_judge_term(metric, bound, figures.get(name), measured))
    for rating in (Rating.BAD, Rating.INCONCLUSIVE):
        sentences = [why for term_rating, why in judged if term_rating == rating]
        if sentences:
            return rating, "; ".join(sentences)
    return Rating.GOOD, "; ".join(why for _, why in judged)


def figure_text(metric: str, figure: Interval | None) -> str:
    """What was measured for a term: `p99 24.1 ms (23.8–24.6)`, `2 % (1–3) failed`."""
    said = METRICS[FIGURE_OF[metric]].full(figure)
    return f"{said} failed" if metric == "failed" else f"{metric} {said}"


def _judge_term(metric: str, bound: float, figure: Interval | None, windows: Sequence[Interval]) -> tuple[Rating, str]:
    if figure is None:
        return Rating.INCONCLUSIVE, f"{metric} could not be measured"
    text, limit = figure_text(metric, figure), bound_text(metric, bound)
    measured = windows or [figure]
    if _is_over(bound, figure):
        return Rating.BAD, f"{text}, over {limit}"
    if _is_under(bound, figure):
        return Rating.GOOD, f"{text}, under {limit}"
    if all(_is_far_over(bound, window) for window in measured):
        return Rating.BAD, f"{text}, {_clearly('over', limit, figure)}"
    if all(_is_far_under(bound, window) for window in measured):
        return Rating.GOOD, f"{text}, {_clearly('under', limit, figure)}"
    if figure.low is None:
        return Rating.INCONCLUSIVE, f"{text}, one window, too close to {limit} to decide"
    return Rating.INCONCLUSIVE, f"{text}, and the interval contains {limit}: more rounds may settle it"


def _clearly(side: str, limit: str, figure: Interval) -> str:
    """Next to an interval that contains the bound, it is said that the windows are what decides."""
    return f"{side} {limit}" if figure.low is None or figure.high is None else f"far {side} {limit} in every window"


def _is_over(bound: float, figure: Interval) -> bool:
    return figure.low is not None and figure.low >= bound


def _is_under(bound: float, figure: Interval) -> bool:
    return figure.high is not None and figure.high < bound


def _is_far_over(bound: float, window: Interval) -> bool:
    return window.value >= bound * (1 if window.censored else CLEAR_MARGIN)


def _is_far_under(bound: float, window: Interval) -> bool:
    return not window.censored and window.value * CLEAR_MARGIN < bound
