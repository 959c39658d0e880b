"""Whether an app may pass: it keeps its objective, and no figure got worse beyond the tolerance. Pure.

Two figures settle it, p50 and CPU per request. They got worse where their change is beyond the tolerance and its 95 %
interval is no wider than the tolerance on either side: that excludes chance as well. A wider interval, and that of any
other figure, must lie beyond the tolerance as a whole, and by half its width again, as a 99 % interval would. Where one
that settles is wider and reaches beyond the tolerance, it is too noisy to say. So chance has to make up for the
tolerance too, and false alarms are rare although several figures are judged, and judged again when rounds are added:
`tests/unit/measure/test_gating.py` simulates how rare.

Where servers also took turns, these two are judged by that (see `turns`), unless p50 surely got worse in windows of
their own: a queue that builds up there has no time to do so within a turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wsgilab.analysis import stats
from wsgilab.model import words
from wsgilab.model.gate import OBJECTIVE, Check, Gate
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import Mean, Metric, Place, shown
from wsgilab.model.outcomes import Outcome, Rating
from wsgilab.model.request import DEFAULT_TOLERANCE
from wsgilab.model.verdict import LoadRow, ServerRow, Turns, Verdict

GATED = shown(Place.GATE)
OF_OBJECTIVE = {Rating.GOOD: Outcome.PASSED, Rating.BAD: Outcome.MISSED, Rating.INCONCLUSIVE: Outcome.NOISY}
SURE = 1.5
"""Times a 95 % interval: about a 99 % one, for each of five figures is a chance for a false alarm."""
MORE_AT_MOST = 1_000
"""Rounds, the most there can be."""


@dataclass(frozen=True)
class Reference:
    """What the app is compared with."""

    name: str
    rows: Mapping[str, ServerRow]
    """By the server that each is the reference of."""
    ratios: Mapping[tuple[str, float, str], Interval | None]
    """after ÷ before, by server, rate and metric."""
    turns: Mapping[tuple[str, float, str], Turns] = field(default_factory=dict)
    """Of those that also took turns, by the same."""


@dataclass(frozen=True)
class Question:
    """What a gate asks of a run."""

    servers: tuple[str, ...]
    """Those that it is about."""
    tolerance: float = DEFAULT_TOLERANCE
    against: str = ""
    """What reports call that which they are compared with."""
    pairs: Mapping[str, str] = field(default_factory=dict)
    """The server of the same run that each is compared with."""
    earlier: Verdict | None = None
    """The run that they are compared with."""

    def answer(self, verdict: Verdict) -> Gate:
        """The gate of a run, or of as much of it as there is."""
        reference = None
        if self.pairs:
            reference = next_to(verdict, self.pairs, self.against)
        elif self.earlier:
            reference = baseline(verdict, self.earlier, self.against)
        return judge(verdict, self.servers, reference, self.tolerance)


def judge(
    verdict: Verdict, servers: Sequence[str], reference: Reference | None = None, tolerance: float = DEFAULT_TOLERANCE
) -> Gate:
    """The gate for these servers of the verdict; the others are there to be compared with."""
    rows = [row for row in verdict.servers if row.server in servers]
    checks = tuple(check for row in rows for load in row.loads for check in _checks(row, load, reference, tolerance))
    noisy = [_rounds_wanted(check, verdict, tolerance) for check in checks if check.outcome is Outcome.NOISY]
    found = Gate(
        slo=verdict.slo,
        checks=checks,
        against=reference.name if reference else None,
        tolerance=tolerance if reference else 0.0,
        rounds_wanted=max((rounds for rounds in noisy if rounds), default=None),
    )
    return replace(found, summary=_summary(found))


def next_to(verdict: Verdict, pairs: Mapping[str, str], name: str) -> Reference:
    """Servers of the same run, paired by round. `pairs`: each server's reference."""
    rows = {row.server: row for row in verdict.servers}
    of = {before: after for after, before in pairs.items()}
    ratios = {
        (pair.a, pair.rate_rps, pair.metric): pair.ratio for pair in verdict.comparisons if of.get(pair.b) == pair.a
    }
    by_turns = {
        (row.server, row.rate_rps, row.metric): row for row in verdict.turns if pairs.get(row.server) == row.against
    }
    return Reference(name, {after: rows[before] for after, before in pairs.items() if before in rows}, ratios, by_turns)


def baseline(verdict: Verdict, before: Verdict, name: str) -> Reference:
    """The servers of an earlier run, by the intervals of both."""
    rows = {row.server: row for row in before.servers}
    ratios = {
        (row.server, load.rate_rps, metric.key): _ratio_of_loads(metric, earlier, load)
        for row in verdict.servers
        if row.server in rows
        for load in row.loads
        if (earlier := rows[row.server].at(load.rate_rps))
        for metric in GATED
        if metric.mean is not Mean.SHARE
    }
    return Reference(name, rows, ratios)


def missing(servers: Sequence[str], rates_rps: Sequence[float], before: Verdict) -> list[str]:
    """What a baseline would have to hold and does not: `gunicorn at 100 rps`."""
    known = {(row.server, load.rate_rps) for row in before.servers for load in row.loads if load.windows}
    wanted = [(server, rate) for server in servers for rate in rates_rps]
    return [f"{server} at {words.rps(rate)}" for server, rate in wanted if (server, rate) not in known]


def _ratio_of_loads(metric: Metric, before: LoadRow, after: LoadRow) -> Interval | None:
    counts = (before.starts, after.starts) if metric.per_start else (before.windows, after.windows)
    return stats.ratio_of_means(before[metric.key], after[metric.key], counts)


def _checks(row: ServerRow, load: LoadRow, reference: Reference | None, tolerance: float) -> Iterator[Check]:
    yield Check(row.server, load.rate_rps, OBJECTIVE, OF_OBJECTIVE[load.rating], load.why)
    if reference is None:
        return
    before = reference.rows[row.server].at(load.rate_rps) if row.server in reference.rows else None
    for metric in GATED:
        was, now = before[metric.key] if before else None, load[metric.key]
        place = (row.server, load.rate_rps, metric.key)
        ratio, turns = reference.ratios.get(place), reference.turns.get(place)
        queues = metric.percentile is not None and ratio is not None and _surely(ratio) > 1 + tolerance
        if turns and turns.ratio and not queues:
            yield _check(metric, place, (turns.was, turns.now, turns.ratio), tolerance, ", taking turns")
        else:
            yield _check(metric, place, (was, now, ratio), tolerance)


def _check(
    metric: Metric,
    place: tuple[str, float, str],
    figures: tuple[Interval | None, Interval | None, Interval | None],
    tolerance: float,
    how: str = "",
) -> Check:
    """One figure: what it was, what it is, and the ratio."""
    was, now, ratio = figures
    if metric.mean is Mean.SHARE:
        outcome, remark = _judge_share(was, now, tolerance)
    else:
        outcome, remark = _judge_ratio(metric, ratio, tolerance)
    said = f"{metric.name} {metric.text(now)} against {metric.text(was)}{how}"
    changed = f": {words.change(ratio)}" if ratio else ""
    return Check(*place, outcome, f"{said}{changed}{remark}", was, now, ratio)


def _judge_ratio(metric: Metric, ratio: Interval | None, tolerance: float) -> tuple[Outcome, str]:
    """What came of one ratio, and what is added to its numbers."""
    if ratio is None or (ratio.low is None and ratio.high is None):
        return _without_interval(metric, ratio)
    most, the_tolerance = 1 + tolerance, f"the tolerance of {tolerance * 100:g} %"
    half = stats.half_width(ratio)
    decides = metric.settles and half is not None and half <= math.log(most)
    surely = _surely(ratio)
    at_most = ratio.high if ratio.high is not None else math.inf
    if surely > most or (decides and ratio.value > most):
        return Outcome.WORSE, f", beyond {the_tolerance}"
    if metric.settles and not decides and at_most > most:
        return Outcome.NOISY, f", an interval wider than {the_tolerance}"
    if ratio.low is None or ratio.low <= 1:
        return Outcome.PASSED, ""
    within = f"but not clearly beyond {the_tolerance}" if ratio.value > most else f"within {the_tolerance}"
    return Outcome.PASSED, f", more than before, {within}"


def _surely(ratio: Interval) -> float:
    """What a change is at least, with SURE times the width that the interval has below its figure."""
    return ratio.value * (ratio.low / ratio.value) ** SURE if ratio.low else 0.0


def _without_interval(metric: Metric, ratio: Interval | None) -> tuple[Outcome, str]:
    why = "which cannot be compared" if ratio is None else "without an interval"
    if ratio and metric.per_start:
        why = "of one start of the server each, so without an interval"
    return Outcome.NOISY if metric.settles else Outcome.NOT_JUDGED, f", {why}"


def _judge_share(was: Interval | None, now: Interval | None, tolerance: float) -> tuple[Outcome, str]:
    """Shares may be 0 and have no ratio: worse is one whose interval lies above the other's."""
    if was is None or now is None or was.high is None or now.low is None:
        return Outcome.NOT_JUDGED, ", without an interval"
    if now.low > was.high and now.value > was.value * (1 + tolerance):
        return Outcome.WORSE, f", {words.percent_range(now)} % against {words.percent_range(was)} %"
    return Outcome.PASSED, ""


def _rounds_wanted(check: Check, verdict: Verdict, tolerance: float) -> int | None:
    """About how many rounds make an interval as narrow as the tolerance: it narrows with the root of their number.

    None where no number would tell: nothing counts, or what does cannot be compared.
    """
    counts = any(
        load.windows for row in verdict.servers if row.server == check.server if (load := row.at(check.rate_rps))
    )
    if not counts or (check.about != OBJECTIVE and check.ratio is None):
        return None
    half = stats.half_width(check.ratio)
    factor = max(1.5, (half / math.log1p(tolerance)) ** 2) if half else 2.0
    return min(MORE_AT_MOST, math.ceil(factor * 1.1 * max(1, verdict.rounds)))


def named(checks: Sequence[Check]) -> str:
    """What checks are about, by place: `p50 and CPU per request of gunicorn at 100 rps`."""
    places = dict.fromkeys(check.place for check in checks)
    names = {place: [check.name for check in checks if check.place == place] for place in places}
    return words.listed([f"{words.listed(about)} of {place}" for place, about in names.items()])


def _summary(gate: Gate) -> str:
    """What came of it, the worst first, in one sentence."""
    against = f" against {gate.against}" if gate.against else ""
    missed, worse, noisy = (gate.of(outcome) for outcome in (Outcome.MISSED, Outcome.WORSE, Outcome.NOISY))
    if missed:
        more = f", and {words.counted(len(worse), 'figure')} got worse{against}" if worse else ""
        return f"The SLO {gate.slo} was missed by {_places(missed)}{more}."
    if worse:
        return f"{named(worse)} got worse by more than {gate.tolerance * 100:g} %{against}."
    if noisy:
        return words.sentence(_open(gate, noisy))
    if not gate.checks:
        return "Nothing was measured."
    and_so = f", and nothing got worse by more than {gate.tolerance * 100:g} %{against}" if gate.against else ""
    return f"The SLO {gate.slo} is kept by {_places(gate.checks)}{and_so}."


def _open(gate: Gate, noisy: Sequence[Check]) -> str:
    """What nobody can say."""
    objective = [check for check in noisy if check.about == OBJECTIVE]
    figures = [check for check in noisy if check.about != OBJECTIVE]
    questions = [f"the SLO {gate.slo} is kept by {_places(objective)}"] if objective else []
    questions += [f"{named(figures)} got worse"] if figures else []
    return f"it cannot be told whether {', nor whether '.join(questions)}"


def _places(checks: Sequence[Check]) -> str:
    return words.listed(list(dict.fromkeys(check.place for check in checks)))
