"""When an objective is kept."""

from __future__ import annotations

import pytest

from wsgilab.analysis.objective import judge
from wsgilab.model import slo
from wsgilab.model.interval import Interval
from wsgilab.model.slo import Slo

P99 = Slo()


@pytest.mark.parametrize(
    ("figure", "rating"),
    [
        (Interval(200, 190, 210), "good"),
        (Interval(300, 260, 340), "bad"),
        (Interval(240, 220, 262), "inconclusive"),
        (Interval(240, 220, 250), "inconclusive"),
        (Interval(262, 240, 280), "inconclusive"),
        (Interval(250, 250, 250), "bad"),
        (Interval(10_000, 10_000, None, censored=True), "bad"),
        (Interval(184, 0.1, None, censored=True), "inconclusive"),
        (Interval(24), "good"),
        (Interval(200), "inconclusive"),
        (Interval(600), "bad"),
        (Interval(10_000, censored=True), "bad"),
        (None, "inconclusive"),
    ],
)
def test_the_whole_interval_decides(figure: Interval | None, rating: str) -> None:
    assert judge(P99, {"p99_ms": figure})[0] == rating


@pytest.mark.parametrize(
    ("windows", "rating"),
    [
        ([1800.0, 1900.0, 9000.0], "bad"),
        ([20.0, 25.0, 120.0], "good"),
        ([20.0, 25.0, 130.0], "inconclusive"),
        ([20.0, 400.0, 1800.0], "inconclusive"),
    ],
)
def test_windows_that_are_all_clearly_on_one_side_decide_where_the_interval_is_too_wide_to(
    windows: list[float], rating: str
) -> None:
    wide = Interval(300, 10, 9_000)
    assert judge(P99, {"p99_ms": wide}, [{"p99_ms": Interval(value)} for value in windows])[0] == rating


@pytest.mark.parametrize(("bound_s", "rating"), [(6, "bad"), (30, "inconclusive")])
def test_a_figure_cut_off_at_ten_seconds_is_beyond_a_bound_below_and_says_nothing_of_one_above(
    bound_s: int, rating: str
) -> None:
    assert judge(slo.parse(f"p99<{bound_s}s"), {"p99_ms": Interval(10_000, censored=True)})[0] == rating


def test_a_term_that_fails_decides_whatever_is_in_doubt() -> None:
    objective = slo.parse("p99<250ms and failed<1%")
    rating, why = judge(objective, {"p99_ms": Interval(240, 220, 262), "failed_ratio": Interval(0.03, 0.02, 0.04)})
    assert (rating, why) == ("bad", "3.0 % (2.0–4.0) failed, over 1 %")


def test_one_failed_term_is_enough_and_is_the_one_named() -> None:
    objective = slo.parse("p99<250ms and failed<1%")
    rating, why = judge(objective, {"p99_ms": Interval(24, 23, 25), "failed_ratio": Interval(0.03, 0.02, 0.04)})
    assert rating == "bad"
    assert why == "3.0 % (2.0–4.0) failed, over 1 %"


def test_a_term_in_doubt_keeps_the_verdict_open() -> None:
    objective = slo.parse("p99<250ms and failed<1%")
    rating, why = judge(objective, {"p99_ms": Interval(24, 23, 25), "failed_ratio": Interval(0.009, 0.004, 0.02)})
    assert rating == "inconclusive"
    assert "p99" not in why


@pytest.mark.parametrize(
    ("value", "said"), [(35, "far under 250 ms in every window"), (2500, "far over 250 ms in every window")]
)
def test_where_the_interval_contains_the_bound_the_windows_are_said_to_decide(value: float, said: str) -> None:
    windows = [{"p99_ms": Interval(value)}, {"p99_ms": Interval(value * 1.1)}]
    assert judge(P99, {"p99_ms": Interval(value, 2, 5800)}, windows)[1].endswith(said)


def test_the_sentence_holds_figure_interval_and_bound() -> None:
    assert judge(P99, {"p99_ms": Interval(24.11, 23.8, 24.6)})[1] == "p99 24.1 ms (23.8–24.6), under 250 ms"
    assert judge(P99, {"p99_ms": Interval(1e4, 1e4, None, True)})[1] == "p99 > 10 s, over 250 ms"
