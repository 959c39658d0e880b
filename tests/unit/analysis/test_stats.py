"""Percentiles over scheduled requests, intervals that cover, comparisons that do not cry wolf."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import cache

import pytest
from factories import load_result, plain_window, plan, window

from wsgilab.analysis import stats
from wsgilab.model.interval import Interval
from wsgilab.model.window import Window

HUNDRED = [float(ms) for ms in range(1, 101)]


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423), (120, 1.9799)],
)
def test_t_quantiles_are_those_of_the_printed_tables(freedom: int, quantile: float) -> None:
    assert stats.t_quantile(freedom) == pytest.approx(quantile, abs=5e-5)


def test_t_quantile_knows_other_confidences() -> None:
    assert stats.t_quantile(5, 0.99) == pytest.approx(4.0321, abs=5e-5)


class TestPercentile:
    def test_is_k6s_own_where_every_request_was_answered(self) -> None:
        assert stats.percentile_ms(plain_window(HUNDRED), 95) == Interval(pytest.approx(95.05))  # type: ignore[arg-type]

    def test_counts_a_failed_request_as_slower_than_all_others(self) -> None:
        whole = stats.percentile_ms(plain_window(HUNDRED), 50)
        half_failed = stats.percentile_ms(plain_window(HUNDRED, scheduled=200), 49)
        assert whole is not None
        assert half_failed is not None
        assert half_failed.value > 1.9 * whole.value
        assert not half_failed.censored

    def test_that_falls_among_the_failed_is_the_timeout_censored(self) -> None:
        assert stats.percentile_ms(plain_window(HUNDRED, scheduled=200), 51) == Interval(10_000.0, censored=True)

    def test_allows_its_share_to_fail_whatever_floating_point_makes_of_it(self) -> None:
        assert 99.9 / 100 * 7000 > 6993, "or this test tests nothing"
        assert stats.percentile_ms(plain_window([20.0] * 6993, scheduled=7000), 99.9) == Interval(20.0)

    def test_p99_allows_exactly_one_per_cent_to_fail(self) -> None:
        one = stats.percentile_ms(plain_window([20.0] * 594, scheduled=600), 99)
        more = stats.percentile_ms(plain_window([20.0] * 593, scheduled=600), 99)
        assert one == Interval(20.0)
        assert more == Interval(10_000.0, censored=True)

    def test_counts_dropped_requests_like_failed_ones(self) -> None:
        dropped = Window(plan(), load_result([20.0] * 50, scheduled=100, failed=0, sent=50, dropped=50), None)
        assert stats.percentile_ms(dropped, 90) == Interval(10_000.0, censored=True)

    def test_of_a_window_in_which_the_server_died_is_the_timeout(self) -> None:
        assert stats.percentile_ms(Window(plan(), None, None, died="killed"), 50) == Interval(10_000.0, censored=True)

    def test_of_a_window_without_result_is_unknown(self) -> None:
        assert stats.percentile_ms(Window(plan(), None, None), 50) is None

    def test_of_a_single_answer_is_that_answer(self) -> None:
        assert stats.percentile_ms(plain_window([42.0]), 99) == Interval(42.0)


class TestGoodput:
    def test_is_the_offered_rate_where_all_is_answered_at_once(self) -> None:
        assert stats.goodput_rps(window("uwsgi", 250)) == pytest.approx(250, rel=0.002)

    def test_does_not_credit_a_saturated_server_with_answers_of_the_grace(self) -> None:
        assert stats.goodput_rps(window("gunicorn", 250)) == pytest.approx(4 / 22.9e-3, rel=0.05)

    def test_of_a_server_that_answered_nothing_is_zero(self) -> None:
        assert stats.goodput_rps(plain_window([], scheduled=600)) == 0.0

    def test_of_a_dead_server_is_zero_not_unknown(self) -> None:
        assert stats.goodput_rps(Window(plan(), None, None, died="killed")) == 0.0


class TestFailures:
    def test_are_what_was_scheduled_and_not_answered_well(self) -> None:
        assert stats.failures(plain_window(HUNDRED, scheduled=120)) == (20, 120)

    def test_of_a_dead_server_are_all_and_without_a_result_unknown(self) -> None:
        assert stats.failures(Window(plan(), None, None, died="killed")) == (600, 600)
        assert stats.failures(Window(plan(), None, None)) is None

    def test_are_never_fewer_than_none(self) -> None:
        odd = plain_window(HUNDRED, scheduled=90)
        assert stats.failures(odd) == (0, 100)
        assert stats.percentile_ms(odd, 50) == stats.percentile_ms(plain_window(HUNDRED), 50)


class TestIntervals:
    def test_one_window_has_a_value_and_no_interval(self) -> None:
        assert stats.typical([Interval(20.0)]) == Interval(20.0)
        assert stats.mean([20.0]) == Interval(20.0)
        assert stats.proportion([(0, 600)]) == Interval(0.0)

    def test_no_window_has_no_figure(self) -> None:
        assert stats.typical([]) is None
        assert stats.mean([]) is None
        assert stats.proportion([]) is None

    def test_hold_their_value_and_widen_with_the_spread(self) -> None:
        calm = stats.typical([Interval(ms) for ms in (24.0, 24.5, 25.0)])
        wild = stats.typical([Interval(ms) for ms in (18.0, 24.5, 33.0)])
        assert calm is not None
        assert wild is not None
        assert calm.low < calm.value < calm.high  # type: ignore[operator]
        assert wild.high - wild.low > 5 * (calm.high - calm.low)  # type: ignore[operator]

    def test_are_the_textbooks_on_the_logarithmic_scale(self) -> None:
        figure = stats.typical([Interval(math.exp(value)) for value in (1.0, 2.0, 3.0)])
        half = 4.302653 / math.sqrt(3)
        assert figure is not None
        assert figure.value == pytest.approx(math.exp(2), rel=1e-5)
        assert figure.low == pytest.approx(math.exp(2 - half), rel=1e-5)
        assert figure.high == pytest.approx(math.exp(2 + half), rel=1e-5)

    def test_of_a_mean_end_at_zero(self) -> None:
        figure = stats.mean([0.0, 1.0, 5.0])
        assert figure is not None
        assert figure.low == 0.0

    def test_of_censored_windows_have_a_lower_end_only(self) -> None:
        cut = Interval(10_000.0, censored=True)
        assert stats.typical([cut, cut, cut]) == Interval(10_000.0, 10_000.0, None, True)
        mixed = stats.typical([Interval(9_000.0), cut, cut])
        assert mixed is not None
        assert mixed.censored
        assert mixed.high is None
        assert mixed.low is not None
        assert mixed.low < mixed.value < 10_000

    def test_of_no_failure_at_all_do_not_claim_that_there_is_none(self) -> None:
        none_failed = stats.proportion([(0, 600)] * 3)
        assert none_failed is not None
        assert (none_failed.value, none_failed.low) == (0.0, 0.0)
        assert none_failed.high == pytest.approx(3.84 / 1800, rel=0.02)

    def test_of_failures_in_bursts_are_wider_than_requests_alone_would_say(self) -> None:
        steady, bursts = stats.proportion([(20, 600)] * 3), stats.proportion([(60, 600), (0, 600), (0, 600)])
        assert steady is not None
        assert bursts is not None
        assert steady.value == bursts.value
        assert steady.low < steady.value < steady.high, "Wilson's, though the windows agree"  # type: ignore[operator]
        assert bursts.high > 2 * steady.high  # type: ignore[operator]


class TestComparison:
    @staticmethod
    def pairs(*values: tuple[float, float]) -> list[tuple[Interval, Interval]]:
        return [(Interval(a), Interval(b)) for a, b in values]

    def test_sees_through_a_drift_that_both_share(self) -> None:
        ratio = stats.paired_ratio(self.pairs((20, 22), (30, 33.1), (45, 49.3)))
        assert ratio is not None
        assert ratio.value == pytest.approx(0.909, abs=0.003)
        assert stats.lower(ratio) == "a lower"

    def test_shows_no_difference_when_the_interval_holds_one(self) -> None:
        assert stats.lower(stats.paired_ratio(self.pairs((20, 22), (23, 21), (22, 22.5)))) == "no difference shown"

    def test_reads_the_same_from_either_side(self) -> None:
        values = ((20.0, 40.0), (21.0, 41.0), (22.0, 45.0))
        there, back = (
            stats.paired_ratio(self.pairs(*values)),
            stats.paired_ratio(self.pairs(*((b, a) for a, b in values))),
        )
        assert there is not None
        assert back is not None
        assert there.low == pytest.approx(1 / back.high, rel=1e-4)  # type: ignore[operator]
        assert (stats.lower(there), stats.lower(back)) == ("a lower", "b lower")

    def test_of_one_round_shows_nothing(self) -> None:
        ratio = stats.paired_ratio(self.pairs((20, 200)))
        assert ratio == Interval(0.1)
        assert stats.lower(ratio) == "no difference shown"

    def test_with_one_side_cut_off_is_a_bound_that_can_still_decide(self) -> None:
        cut = Interval(10_000.0, censored=True)
        ratio = stats.paired_ratio([(Interval(25.0), cut), (Interval(26.0), cut), (Interval(25.5), cut)])
        assert ratio is not None
        assert ratio.censored
        assert ratio.low is None
        assert stats.lower(ratio) == "a lower"
        turned = stats.paired_ratio([(cut, Interval(25.0)), (cut, Interval(26.0)), (cut, Interval(25.5))])
        assert turned is not None
        assert turned.high is None
        assert stats.lower(turned) == "b lower"

    def test_with_nothing_has_no_ratio(self) -> None:
        assert stats.paired_ratio(self.pairs((0, 1), (1, 1))) is None
        assert stats.unpaired_ratio([Interval(0.0)], [Interval(1.0)]) is None

    def test_that_just_touches_one_shows_nothing(self) -> None:
        assert stats.lower(Interval(0.9, 0.8, 1.0)) == "no difference shown"
        assert stats.lower(Interval(1.1, 1.0, 1.2)) == "no difference shown"

    def test_of_two_groups_is_welchs_on_the_logarithmic_scale(self) -> None:
        first, second = ([Interval(math.exp(log)) for log in logs] for logs in ((0.0, 1.0, 2.0), (3.0, 7.0)))
        ratio = stats.unpaired_ratio(first, second)
        # Variances of the means 1/3 and 4, together 13/3; (13/3)² / ((1/3)²/2 + 4²/1) is 1.17: one degree of freedom.
        half = 12.706205 * math.sqrt(13 / 3)
        assert ratio is not None
        assert ratio.low == pytest.approx(math.exp(4 - half), rel=1e-5)
        assert ratio.high == pytest.approx(math.exp(4 + half), rel=1e-5)

    def test_with_both_sides_cut_off_says_nothing(self) -> None:
        cut = Interval(10_000.0, censored=True)
        assert stats.paired_ratio([(cut, cut), (cut, cut)]) is None
        assert stats.paired_ratio([(cut, Interval(1.0)), (Interval(1.0), cut)]) is None
        assert stats.lower(None) == "no difference shown"


# ── do the intervals hold the truth? ────────────────────────────────────────────────────────────────────────────────
#
# A p99 of 600 requests is drawn exactly as such (the 594th order statistic of a response time with a heavy tail), then
# multiplied by the window's luck, skewed even on the logarithmic scale (a gamma of shape 4: skewness 1), in a window of
# fifty by a hiccup, and by a drift over the run that two servers share: a machine that warms up or calms down by 10 %
# (standard deviation) from first to last round. A server's windows fall at random moments of each round.

RUNS = 4000
SPREAD, DRIFT, HICCUPS = 0.05, 0.10, 0.02


def quantile_log_ms(share: float) -> float:
    """Log of the response time: 22 ms and a Pareto tail."""
    return math.log(22 + (1 - share) ** -0.4)


def window_log_ms(rng: random.Random) -> float:
    share = rng.betavariate(594, 7)
    luck = (rng.gammavariate(4, 1) - 4) / 2 * SPREAD
    hiccup = rng.expovariate(1 / (2 * SPREAD)) if rng.random() < HICCUPS else 0.0
    return quantile_log_ms(share) + luck + hiccup


def simulated_run(rng: random.Random, rounds: int) -> list[tuple[Interval, Interval]]:
    slope = rng.gauss(0, DRIFT)
    moments = ((number + rng.random(), number + rng.random()) for number in range(rounds))
    return [
        tuple(Interval(math.exp(window_log_ms(rng) + slope * (moment / rounds - 0.5))) for moment in pair)  # type: ignore[misc]
        for pair in moments
    ]


@cache
def truth_ms() -> float:
    """The geometric mean of windows, drift at its middle, from very many of them."""
    rng = random.Random(7)
    return math.exp(math.fsum(window_log_ms(rng) for _ in range(100_000)) / 100_000)


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_intervals_hold_the_truth_in_93_to_97_of_100_runs(rounds: int) -> None:
    rng = random.Random(rounds)
    figures = [stats.typical([a for a, _ in simulated_run(rng, rounds)]) for _ in range(RUNS)]
    held = sum(figure.low <= truth_ms() <= figure.high for figure in figures if figure)  # type: ignore[operator]
    print(f"coverage over {rounds} rounds: {held / RUNS:.1%}")
    assert 0.93 <= held / RUNS <= 0.97


@pytest.mark.parametrize("rounds", [3, 5, 10])
def test_identical_twins_are_called_different_in_at_most_6_of_100_runs(rounds: int) -> None:
    rng = random.Random(100 + rounds)
    called = [stats.lower(stats.paired_ratio(simulated_run(rng, rounds))) for _ in range(RUNS)]
    different = sum(result != "no difference shown" for result in called)
    print(f"twins called different over {rounds} rounds: {different / RUNS:.1%}")
    assert different / RUNS <= 0.06


@pytest.mark.parametrize("share", [0.003, 0.05, 0.4])
def test_intervals_of_failure_shares_hold_the_truth_where_failures_vary_between_windows(share: float) -> None:
    rng, held, runs = random.Random(3), 0, 1000
    for _ in range(runs):
        counts = []
        for _ in range(3):
            own = min(1.0, share * rng.lognormvariate(-0.02, 0.2))
            counts.append((round(max(0.0, rng.gauss(600 * own, math.sqrt(600 * own * (1 - own))))), 600))
        figure = stats.proportion(counts)
        assert figure is not None
        held += figure.low <= share <= figure.high  # type: ignore[operator]
    assert held / runs >= 0.93


def test_percentiles_of_a_window_do_not_depend_on_the_order_of_the_ladder() -> None:
    usual = plain_window(HUNDRED)
    assert usual.load is not None
    turned = dict(reversed(list(usual.load.ladder_ms.items())))
    assert stats.percentile_ms(replace(usual, load=replace(usual.load, ladder_ms=turned)), 90) == stats.percentile_ms(
        usual, 90
    )
