"""The service level objective: its grammar, and whether measured figures keep it.

    p99<250ms            p95<100ms and failed<0.5%            p99.9 < 1.5s

A percentile counts every scheduled request, failed ones as slower than the timeout; so `p99<250ms` also says that no
more than 1 % may fail.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from wsgilab.errors import UsageError
from wsgilab.model import words
from wsgilab.model.records import Interval, Slo
from wsgilab.model.verdict import BAD, GOOD, INCONCLUSIVE

FIGURE_OF = {
    "p50": "p50_ms",
    "p90": "p90_ms",
    "p95": "p95_ms",
    "p99": "p99_ms",
    "p99.9": "p99_9_ms",
    "failed": "failed_ratio",
}
"""Where a verdict keeps the figure that a term speaks of."""

EXAMPLE = "--slo 'p99<250ms and failed<1%'"
SCALES = {"ms": 1.0, "s": 1000.0, "%": 0.01}
CLEAR_MARGIN = 2.0
"""Where every window is this factor on the same side of the bound, more than windows of one server differ from each
other, no interval is needed: it may be absent (one window), or wide because a few windows differ by much."""

NUMBER = r"[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?"  # with an exponent, because that is how a large bound is printed
TERM = re.compile(rf"(?P<metric>[a-z][a-z0-9.]*)\s*<\s*(?P<value>{NUMBER})\s*(?P<unit>[a-z%]*)", re.IGNORECASE)


def parse(text: str) -> Slo:
    """The objective that `text` states. Raises UsageError naming the part that cannot be read."""
    if not text.strip():
        raise _unreadable("The SLO is empty.", "an objective has at least one term")
    terms = tuple(_term(part.strip()) for part in re.split(r"\band\b", text, flags=re.IGNORECASE))
    metrics = [metric for metric, _ in terms]
    for metric in metrics:
        if metrics.count(metric) > 1:
            raise _unreadable(f"The SLO {text!r} bounds {metric} twice.", "each metric can have one bound")
    return Slo(terms)


def judge(
    slo: Slo, figures: Mapping[str, Interval | None], windows: Sequence[Mapping[str, Interval | None]] = ()
) -> tuple[str, str]:
    """(good, bad or inconclusive; one sentence why) for the figures of one server under one load.

    A term holds when the whole interval is under its bound and fails when the whole interval is not; an interval that
    holds the bound is inconclusive, unless every one of `windows` (each with its own figures) is clearly on one side.
    One term that fails is enough; all must hold.
    """
    judged = []
    for metric, bound in slo.terms:
        name = FIGURE_OF[metric]
        each = [figure for window in windows if (figure := window.get(name)) is not None]
        judged.append(_judge_term(metric, bound, figures.get(name), each))
    for outcome in (BAD, INCONCLUSIVE):
        sentences = [why for verdict, why in judged if verdict == outcome]
        if sentences:
            return outcome, "; ".join(sentences)
    return GOOD, "; ".join(why for _, why in judged)


def bound_text(metric: str, bound: float) -> str:
    """A bound with its unit: `250 ms`, `1 %`."""
    return f"{bound * 100:g} %" if metric == "failed" else f"{bound:g} ms"


def figure_text(metric: str, figure: Interval | None) -> str:
    """What was measured for a term: `p99 24.1 ms (23.8–24.6)`, `2 % (1–3) failed`."""
    return f"{words.full_percent(figure)} failed" if metric == "failed" else f"{metric} {words.full_duration(figure)}"


def _judge_term(metric: str, bound: float, figure: Interval | None, windows: Sequence[Interval]) -> tuple[str, str]:
    if figure is None:
        return INCONCLUSIVE, f"{metric} could not be measured"
    text, limit = figure_text(metric, figure), bound_text(metric, bound)
    each = windows or [figure]
    if _is_over(bound, figure) or all(_is_far_over(bound, window) for window in each):
        return BAD, f"{text}, over {limit}"
    if _is_under(bound, figure) or all(_is_far_under(bound, window) for window in each):
        return GOOD, f"{text}, under {limit}"
    if figure.low is None:
        return INCONCLUSIVE, f"{text}, one window, too near to {limit} to decide"
    return INCONCLUSIVE, f"{text}, and the interval holds {limit}: more rounds may tell"


def _is_over(bound: float, figure: Interval) -> bool:
    return figure.low is not None and figure.low >= bound


def _is_under(bound: float, figure: Interval) -> bool:
    return figure.high is not None and figure.high < bound


def _is_far_over(bound: float, window: Interval) -> bool:
    return window.value >= bound * (1 if window.censored else CLEAR_MARGIN)


def _is_far_under(bound: float, window: Interval) -> bool:
    return not window.censored and window.value * CLEAR_MARGIN < bound


def _term(text: str) -> tuple[str, float]:
    match = TERM.fullmatch(text)
    if not match:
        raise _unreadable(f"Cannot read {text!r} in the SLO.", "a term is METRIC<VALUE with a unit, joined by `and`")
    metric, unit = match["metric"].lower(), match["unit"].lower()
    if metric not in FIGURE_OF:
        known = ", ".join(FIGURE_OF)
        raise _unreadable(f"Unknown metric {metric!r} in the SLO.", f"it can bound {known}")
    wanted = ("%",) if metric == "failed" else ("ms", "s")
    if unit not in wanted:
        said = f"not {unit!r}" if unit else "and none was given"
        raise _unreadable(f"Wrong unit in {text!r}.", f"{metric} is bounded in {' or '.join(wanted)}, {said}")
    bound = float(match["value"]) * SCALES[unit]
    if bound <= 0 or not math.isfinite(bound) or (metric == "failed" and bound > 1):
        raise _unreadable(
            f"The bound in {text!r} cannot be met or missed.", "it is zero, endless, or more than all requests"
        )
    return metric, bound


def _unreadable(what: str, cause: str) -> UsageError:
    return UsageError(what, cause, EXAMPLE)
