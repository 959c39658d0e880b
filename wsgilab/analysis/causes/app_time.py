"""What the app alone takes: the time inside it, where neither the CPU nor another request holds it up."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping

from wsgilab.analysis import stats
from wsgilab.analysis.by_request import only
from wsgilab.analysis.causes import cpu
from wsgilab.analysis.causes.evidence import Evidence
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.interval import Interval
from wsgilab.model.slo import bound_text

CROWDED = 0.7
"""From this share of the CPUs on, the time inside the app contains waiting for one."""
GROWN = 2.0
"""How many times its length at the lowest rate the time inside the app must be, to be called grown with the load."""
NEARLY_ALL = 0.9
FASTER = 0.5
"""Requests that took less than this share of the mean show that the app can be faster than it was."""


def slow_inside(evidence: Evidence) -> Cause | None:
    """More requests than the objective tolerates were slower than its bound inside the app already."""
    slow = _worst(evidence)
    if slow is None or cpu.share_busy(evidence) >= CROWDED:
        return None
    share, bound_ms = slow
    if _has_grown(evidence):
        return Cause(Kind.APP, _grown(evidence), of_app=True)
    if share < NEARLY_ALL:
        took = words.duration(Interval(_mean_above_ms(evidence, bound_ms)))
        return Cause(Kind.APP, f"the app itself: {_one_in(share)} {took} inside it", of_app=True)
    took = words.duration(Interval(evidence.service_ms or _mean_above_ms(evidence, bound_ms)))
    if _some_were_faster(evidence):
        return Cause(Kind.APP, f"inside the app: {took} on average, and some requests took less than half", of_app=True)
    return Cause(Kind.APP, f"the app itself takes {took}: no server can keep {bound_text('', bound_ms)}", of_app=True)


def slow_by_name(evidence: Evidence) -> Cause | None:
    """Requests of one name missed the objective that they have by themselves, and took as long inside the app."""
    if cpu.share_busy(evidence) >= CROWDED:
        return None
    for name, objective in evidence.context.objective.by_request.items():
        mean_ms = _mean_ms(evidence, name)
        bounds_ms = [bound for metric, bound in objective.terms if _is_missed(evidence, name, metric, bound)]
        if bounds_ms and mean_ms >= min(bounds_ms):
            took, bound = words.duration(Interval(mean_ms)), bound_text("", min(bounds_ms))
            return Cause(
                Kind.APP, f"the app itself: {name} takes {took} inside it on average, over {bound}", of_app=True
            )
    return None


def _mean_ms(evidence: Evidence, name: str) -> float:
    """Mean time inside the app of the requests of one name; 0 where it is not known."""
    costs = [cost for usage in evidence.usages if (cost := usage.by_request.get(name))]
    requests = sum(cost.requests for cost in costs)
    return sum(cost.busy_s for cost in costs) / requests * 1000 if requests > 0 else 0.0


def _is_missed(evidence: Evidence, name: str, metric: str, bound_ms: float) -> bool:
    """Whether requests of this name broke a bound of their latency in every window that had some."""
    alone = [found for window in evidence.windows if (found := only(window, name))]
    if metric == "failed" or not alone:
        return False
    figures = [stats.percentile_ms(window, float(metric.removeprefix("p"))) for window in alone]
    return all(figure is not None and figure.value >= bound_ms for figure in figures)


def _worst(evidence: Evidence) -> tuple[float, float] | None:
    """(share of requests that were too slow inside the app, the bound), of the term that is missed by most."""
    missed = []
    for metric, bound in evidence.context.objective.terms:
        share = _share_above(evidence, bound) if metric != "failed" else 0.0
        if metric != "failed" and share > 1 - float(metric.removeprefix("p")) / 100 + 1e-9:
            missed.append((share, bound))
    return max(missed, default=None)


def _histogram(evidence: Evidence) -> dict[float, float]:
    """Requests no slower than each edge in ms, of all windows; empty where none tells."""
    total: dict[float, float] = defaultdict(float)
    for inside in evidence.insides:
        for edge, count in _edges(inside.app_time_ms).items():
            total[edge] += count
    return dict(sorted(total.items()))


def _edges(histogram: Mapping[str, float]) -> dict[float, float]:
    return {float(edge): count for edge, count in histogram.items()}


def _share_above(evidence: Evidence, bound_ms: float) -> float:
    """The share that was surely slower: by the first edge that is not below the bound."""
    found = _histogram(evidence)
    total = found.get(math.inf, 0.0)
    within = next((count for edge, count in found.items() if edge >= bound_ms), total)
    return 1 - within / total if total else 0.0


def _mean_above_ms(evidence: Evidence, bound_ms: float) -> float:
    """Mean time of those that were slower than the bound: all the time there was, less that of the others.

    It lies within the edges of their buckets, and more than two digits of it would only seem to be known.
    """
    buckets = list(_buckets(_histogram(evidence)))
    slow = [(low, high, count) for low, high, count in buckets if low >= bound_ms]
    count = sum(count for *_, count in slow)
    if not count:
        return bound_ms
    spent_ms = sum(
        (usage.samples[-1].busy_s - usage.samples[0].busy_s) * 1000 for usage in evidence.usages if usage.samples
    )
    others_ms = sum(count * (low + high) / 2 for low, high, count in buckets if low < bound_ms)
    least, most = (sum(edges[side] * edges[2] for edges in slow) / count for side in (0, 1))
    return float(f"{min(most, max(least, (spent_ms - others_ms) / count)):.2g}")


def _buckets(cumulative: Mapping[float, float]) -> Iterator[tuple[float, float, float]]:
    """(lower edge, upper edge, requests between them)."""
    low, below = 0.0, 0.0
    for high, within in cumulative.items():
        if within > below:
            yield low, high, within - below
        low, below = high, within


def _some_were_faster(evidence: Evidence) -> bool:
    found, mean_ms = _histogram(evidence), evidence.service_ms
    total = found.get(math.inf, 0.0)
    if mean_ms is None or not total:
        return False
    return any(count / total >= evidence.tolerated for edge, count in found.items() if edge <= FASTER * mean_ms)


def _has_grown(evidence: Evidence) -> bool:
    now, alone = evidence.service_ms, evidence.alone_ms
    return now is not None and alone is not None and now >= GROWN * alone


def _grown(evidence: Evidence) -> str:
    before, now = (words.duration(Interval(ms or 0.0)) for ms in (evidence.alone_ms, evidence.service_ms))
    return (
        f"the time inside the app grows with the load, from {before} at {words.rps(evidence.alone_rps or 0.0)} to "
        f"{now}, with {cpu.used(evidence)}: its requests wait for each other, or for something that they share"
    )


def _one_in(share: float) -> str:
    """`1 request in 20 takes`, `60 % of the requests take`."""
    if share > FASTER:
        return f"{share * 100:.0f} % of the requests take"
    return f"1 request in {round(1 / share)} takes"
