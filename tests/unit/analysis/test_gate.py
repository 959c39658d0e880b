"""What passes a gate, what fails it, what cannot be said; and how often that is wrong."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from factories import RUN, story

from wsgilab.analysis import gate, stats
from wsgilab.analysis.pipeline import analyse
from wsgilab.model.gate import OBJECTIVE, Check, Gate
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import METRICS
from wsgilab.model.outcomes import Difference, Outcome, Rating
from wsgilab.model.verdict import Comparison, LoadRow, ServerRow, Verdict

USUAL = {"p50_ms": 24.0, "p99_ms": 30.0, "cpu_ms_per_request": 3.0, "memory_mb": 112.0}
NO_FAILURE = Interval(0.0, 0.0, 0.0008)
CPU = "cpu_ms_per_request"


def load(rate_rps: float = 100.0, rating: Rating = Rating.GOOD, **figures: Interval | None) -> LoadRow:
    usual: dict[str, Interval | None] = {
        key: Interval(value, value * 0.99, value * 1.01) for key, value in USUAL.items()
    }
    whole = usual | {"failed_ratio": NO_FAILURE} | figures
    return LoadRow(rate_rps, 20, 0, rating, "p99 30.0 ms (29.7–30.3), under 250 ms", whole, starts=4)


def row(server: str, *loads: LoadRow) -> ServerRow:
    return ServerRow(server, "", "4", 4, None, None, Rating.GOOD, "", loads)


def verdict(*rows: ServerRow, comparisons: Sequence[Comparison] = ()) -> Verdict:
    return Verdict("gate", "local", "mix", 20, "p99<250ms", rows, tuple(comparisons), (), ())


def beside(ratios: Mapping[str, Interval | None], tolerance: float = 0.05, **after: Interval | None) -> Gate:
    """gunicorn next to gunicorn-before, with these ratios; 1 where none is given."""
    usual: dict[str, Interval | None] = {key: Interval(1.0, 0.99, 1.01) for key in USUAL}
    pairs = [
        Comparison("gunicorn", "gunicorn-before", 100.0, metric, ratio, Difference.NOT_SHOWN)
        for metric, ratio in (usual | dict(ratios)).items()
    ]
    found = verdict(row("gunicorn", load(**after)), row("gunicorn-before", load()), comparisons=pairs)
    reference = gate.next_to(found, {"gunicorn": "gunicorn-before"}, "main")
    return gate.judge(found, ["gunicorn"], reference, tolerance)


def about(found: Gate, metric: str) -> Check:
    (check,) = [check for check in found.checks if check.about == metric]
    return check


# ── the objective ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rating", "outcome"),
    [
        (Rating.GOOD, Outcome.PASSED),
        (Rating.BAD, Outcome.MISSED),
        (Rating.INCONCLUSIVE, Outcome.NOISY),
    ],
)
def test_without_anything_to_compare_with_the_objective_is_all(rating: Rating, outcome: Outcome) -> None:
    found = gate.judge(verdict(row("gunicorn", load(rating=rating))), ["gunicorn"])
    assert [check.about for check in found.checks] == [OBJECTIVE]
    assert found.outcome == outcome
    assert found.checks[0].sentence.startswith("p99 30.0 ms")


def test_the_worst_rate_of_the_worst_server_decides() -> None:
    calm, late = row("uwsgi", load(50), load(100)), row("gunicorn", load(50), load(100, Rating.BAD))
    assert gate.judge(verdict(calm, late), ["uwsgi"]).outcome == Outcome.PASSED
    assert gate.judge(verdict(calm, late), ["uwsgi", "gunicorn"]).outcome == Outcome.MISSED
    unsure = row("dev", load(50, Rating.INCONCLUSIVE))
    assert gate.judge(verdict(calm, unsure), ["uwsgi", "dev"]).outcome == Outcome.NOISY
    assert gate.judge(verdict(late, unsure), ["gunicorn", "dev"]).outcome == Outcome.MISSED


def test_a_gate_that_measured_nothing_does_not_pass() -> None:
    assert gate.judge(verdict(), ["gunicorn"]).outcome == Outcome.NOISY


# ── a figure that got worse ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ratio", "outcome"),
    [
        (Interval(1.10, 1.08, 1.12), Outcome.WORSE),
        (Interval(1.06, 1.02, 1.10), Outcome.WORSE),
        (Interval(1.05, 1.02, 1.08), Outcome.PASSED),
        (Interval(1.04, 1.00, 1.08), Outcome.PASSED),
        (Interval(0.80, 0.70, 0.90), Outcome.PASSED),
        (Interval(1.30, 1.16, 1.46), Outcome.WORSE),
        (Interval(1.30, 1.10, 1.54), Outcome.NOISY),
        (Interval(1.12, 1.03, 1.22), Outcome.NOISY),
        (Interval(1.00, 0.90, 1.11), Outcome.NOISY),
        (Interval(0.93, 0.86, 1.01), Outcome.PASSED),
        (Interval(1.30), Outcome.NOISY),
        (Interval(40.0, 35.0, None, censored=True), Outcome.WORSE),
        (Interval(0.01, None, 0.02, censored=True), Outcome.PASSED),
        (None, Outcome.NOISY),
    ],
)
@pytest.mark.parametrize("metric", [CPU, "p50_ms"])
def test_what_settles_a_gate_is_known_or_it_cannot_pass(metric: str, ratio: Interval | None, outcome: Outcome) -> None:
    assert about(beside({metric: ratio}), metric).outcome == outcome
    assert beside({metric: ratio}).outcome == outcome


@pytest.mark.parametrize(
    ("ratio", "outcome"),
    [
        (Interval(1.30, 1.16, 1.46), Outcome.WORSE),
        (Interval(1.30, 1.10, 1.54), Outcome.PASSED),
        (Interval(1.12, 1.03, 1.22), Outcome.PASSED),
        (Interval(1.06, 1.02, 1.10), Outcome.PASSED),
        (Interval(1.00, 0.80, 1.25), Outcome.PASSED),
        (Interval(1.30), Outcome.NOT_JUDGED),
        (None, Outcome.NOT_JUDGED),
    ],
)
@pytest.mark.parametrize("metric", ["p99_ms", "memory_mb"])
def test_the_others_fail_it_where_their_whole_interval_is_beyond(
    metric: str, ratio: Interval | None, outcome: Outcome
) -> None:
    found = beside({metric: ratio})
    assert about(found, metric).outcome == outcome
    assert found.outcome == (Outcome.WORSE if outcome is Outcome.WORSE else Outcome.PASSED)


def test_every_check_says_its_numbers() -> None:
    found = beside({CPU: Interval(1.1, 1.081, 1.12)}, **{CPU: Interval(3.3, 3.26, 3.34)})
    said = about(found, CPU).sentence
    assert said == "CPU per request 3.30 ms against 3.00 ms: +10 % (+8.1 to +12), beyond the tolerance of 5 %"
    assert about(beside({CPU: Interval(1.03, 1.01, 1.05)}), CPU).sentence.endswith(
        "+3.0 % (+1.0 to +5.0), more than before, within the tolerance of 5 %"
    )
    assert about(beside({"memory_mb": Interval(1.3)}), "memory_mb").sentence == (
        "memory 112 MB against 112 MB: +30 %, of one start of the server each, so without an interval"
    )


def test_failures_got_worse_where_their_interval_lies_above() -> None:
    def outcome(after: Interval | None) -> Outcome:
        return about(beside({}, failed_ratio=after), "failed_ratio").outcome

    assert outcome(Interval(0.004, 0.002, 0.007)) == Outcome.WORSE
    assert outcome(Interval(0.0005, 0.0001, 0.002)) == Outcome.PASSED
    assert outcome(Interval(0.004)) == Outcome.NOT_JUDGED


def test_what_cannot_be_told_is_named_once_for_each_place() -> None:
    unsure = Interval(1.0, 0.9, 1.11)
    assert beside({CPU: unsure, "p50_ms": unsure}).summary == (
        "It cannot be told whether p50 and CPU per request of gunicorn at 100 rps got worse."
    )
    objective = gate.judge(verdict(row("dev", load(rating=Rating.INCONCLUSIVE))), ["dev"])
    assert objective.summary == "It cannot be told whether the SLO p99<250ms is kept by dev at 100 rps."
    both = verdict(row("gunicorn", load(rating=Rating.INCONCLUSIVE)))
    found = gate.judge(both, ["gunicorn"], gate.next_to(both, {"gunicorn": "gone"}, "main"))
    assert "is kept by gunicorn at 100 rps, nor whether p50 and CPU per request of gunicorn" in found.summary


def test_the_tolerance_is_what_was_asked_for() -> None:
    ratio = Interval(1.10, 1.08, 1.12)
    assert beside({CPU: ratio}, tolerance=0.2).outcome == Outcome.PASSED
    assert beside({CPU: Interval(1.0, 0.98, 1.02)}, tolerance=0.01).outcome == Outcome.NOISY


def test_a_revision_that_died_is_nothing_to_pass_against() -> None:
    found = verdict(row("gunicorn", load()), row("gunicorn-before"))
    reference = gate.next_to(found, {"gunicorn": "gunicorn-before"}, "main")
    assert gate.judge(found, ["gunicorn"], reference).outcome == Outcome.NOISY


@pytest.mark.parametrize(("half", "rounds"), [(0.06, 33), (0.1, 93), (1.0, 1000)])
def test_how_many_rounds_would_have_told_is_said(half: float, rounds: int) -> None:
    found = beside({CPU: Interval(1.0, math.exp(-half), math.exp(half))})
    assert found.rounds_wanted == pytest.approx(rounds, abs=1)
    assert beside({}).rounds_wanted is None


# ── a baseline ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_baseline_is_compared_by_its_intervals_as_its_windows_would_be() -> None:
    """What is left of windows in a verdict says the same as the windows themselves."""
    rng = random.Random(5)
    first, second = ([Interval(rng.lognormvariate(1, 0.05)) for _ in range(count)] for count in (12, 20))
    exact = stats.unpaired_ratio(first, second)
    found = stats.ratio_of_means(stats.typical(first), stats.typical(second), (12, 20))
    assert exact
    assert found
    for bound in ("value", "low", "high"):
        assert getattr(found, bound) == pytest.approx(getattr(exact, bound), rel=1e-4)
    assert stats.ratio_of_means(Interval(3.0), Interval(3.0, 2.9, 3.1), (1, 20)) == Interval(1.0)
    assert stats.ratio_of_means(None, Interval(3.0, 2.9, 3.1), (1, 20)) is None


def test_a_baseline_that_was_cut_off_makes_a_bound() -> None:
    cut = Interval(10_000.0, 10_000.0, None, censored=True)
    ratio = stats.ratio_of_means(Interval(25.0, 24.0, 26.0), cut, (3, 3))
    assert ratio
    assert (ratio.censored, ratio.high) == (True, None)
    assert stats.ratio_of_means(cut, cut, (3, 3)) is None


def test_a_run_passes_against_itself_and_fails_against_one_that_was_quicker() -> None:
    before = analyse(story(rounds=8, rates=[100.0]), replace(RUN, rounds=8, rates_rps=(100.0,)))
    same = gate.judge(before, ["uwsgi"], gate.baseline(before, before, "verdict.json"))
    assert same.outcome == Outcome.PASSED, [check.sentence for check in same.checks]
    assert same.against == "verdict.json"
    dearer = [
        replace(
            one, usage=one.usage and replace(one.usage, cpu_ms_per_request=1.2 * (one.usage.cpu_ms_per_request or 0))
        )
        for one in story(rounds=8, rates=[100.0], seed=1)
    ]
    after = analyse(dearer, replace(RUN, rounds=8, rates_rps=(100.0,)))
    found = gate.judge(after, ["uwsgi"], gate.baseline(after, before, "verdict.json"))
    assert found.of(Outcome.WORSE) == (about(found, CPU),)


def test_what_a_baseline_lacks_is_named() -> None:
    before = verdict(row("gunicorn", load(100), replace(load(250), windows=0)))
    assert gate.missing(["gunicorn"], [100.0], before) == []
    assert gate.missing(["gunicorn", "dev"], [100.0, 250.0], before) == [
        "gunicorn at 250 rps",
        "dev at 100 rps",
        "dev at 250 rps",
    ]


def test_everything_a_gate_judges_is_in_the_table_of_metrics() -> None:
    assert {metric.key for metric in gate.GATED} <= METRICS.keys()
    assert {metric.key for metric in gate.GATED if metric.settles} == {"p50_ms", CPU}
