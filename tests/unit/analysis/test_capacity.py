"""The search for the highest rate that keeps the SLO, against servers whose capacity is known."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import pytest
from factories import FIGURES, SERVERS, Model, _queue, load_result, manifest, plain_window, plan, usage
from factories import MODELS as FACTORY_MODELS

from wsgilab import api
from wsgilab.analysis.capacity import Goal, Outcome, Probe, Tried, next_probe, spent_s, tried
from wsgilab.analysis.capacity import conclude as found
from wsgilab.analysis.capacity_limits import capacity_row
from wsgilab.measure.job import plan_search
from wsgilab.measure.windows import Settings
from wsgilab.model import slo
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Rating
from wsgilab.model.verdict import LoadRow, ServerRow
from wsgilab.model.window import Window, WindowPlan
from wsgilab.results.folder import RunFolder

P99 = slo.parse("p99<250ms")
GOAL = Goal()


def searched(outcome: Callable[[Probe], tuple[str, bool]], goal: Goal = GOAL) -> list[Tried]:
    history: list[Tried] = []
    while probe := next_probe(goal, history):
        history.append(Tried(probe, *outcome(probe)))
        assert len(history) < 200
    return history


def queue_of(capacity_rps: float, seed: int) -> Callable[[Probe], tuple[str, bool]]:
    """A queue that serves so many requests per second, 2 % more or less in each window."""
    rng = random.Random(seed)

    def outcome(probe: Probe) -> tuple[str, bool]:
        served = capacity_rps * rng.lognormvariate(0, 0.02)
        waits, wait = [], 0.0
        for _ in range(int(probe.rate_rps * probe.duration_s)):
            wait = max(0.0, wait - 1 / probe.rate_rps) + (0.85 + 0.15 * rng.expovariate(1)) / served
            waits.append(wait)
        p99_s = sorted(waits)[int(len(waits) * 0.99) - 1] + 0.022
        return (Outcome.KEPT if p99_s < 0.25 else Outcome.MISSED), not 0.125 < p99_s < 0.5

    return outcome


@pytest.mark.parametrize("capacity_rps", [45.0, 178.0, 700.0])
def test_the_search_finds_the_capacity_and_brackets_it_within_its_time(capacity_rps: float) -> None:
    unfinished = 0
    for seed in range(8):
        history = searched(queue_of(capacity_rps, seed))
        result = found(GOAL, history)
        unfinished += not result.finished
        assert spent_s(history) <= GOAL.budget_s
        assert result.kept_rps
        assert result.missed_rps
        assert result.sure_rps is None or result.sure_rps <= result.kept_rps
        assert not result.finished or result.missed_rps / result.kept_rps <= GOAL.width + 0.01
        # A queue that grows by 3 % of the time stays under 250 ms for the eight seconds of a window.
        assert 0.95 * capacity_rps <= result.kept_rps <= 1.08 * capacity_rps
    assert unfinished <= 1


def test_the_time_that_windows_really_took_counts() -> None:
    """On a slow machine a search ends in its time all the same, and says that it has not finished."""
    outcome = queue_of(178.0, 1)
    history: list[Tried] = []
    while probe := next_probe(GOAL, history):
        history.append(Tried(probe, *outcome(probe), took_s=2 * probe.duration_s + 3.5))
    assert sum(each.took_s for each in history) <= GOAL.budget_s
    assert not found(GOAL, history).finished
    assert tried(replace(plain_window([24.0] * 600), took_s=12.5), P99).took_s == 12.5


def test_two_searches_of_the_same_server_agree_within_five_per_cent() -> None:
    kept = [found(GOAL, searched(queue_of(178.0, seed))).kept_rps or 0.0 for seed in range(40)]
    apart = [max(a, b) / min(a, b) - 1 for a, b in zip(kept[::2], kept[1::2], strict=True)]
    assert sum(each > 0.05 for each in apart) <= 1


def test_a_server_that_misses_at_every_rate_has_no_capacity() -> None:
    history = searched(lambda _: (Outcome.MISSED, True))
    assert found(GOAL, history).interval is None
    assert min(each.probe.rate_rps for each in history) == GOAL.lowest_rps
    assert len(history) < 8


def test_where_k6_is_the_limit_the_result_says_at_least() -> None:
    history = searched(lambda probe: (Outcome.KEPT, True) if probe.rate_rps < 1000 else (Outcome.VOID, False))
    result = found(GOAL, history)
    assert result.ceiling
    assert result.interval is not None
    assert result.interval.censored
    assert result.interval.high is None
    assert 850 <= result.interval.value < 1000
    void = Counter(each.probe for each in history if each.outcome == Outcome.VOID)
    assert set(void.values()) == {2}, "no rate is tried a third time"


def test_one_void_window_is_tried_again_and_is_no_ceiling() -> None:
    voided: list[float] = []

    def outcome(probe: Probe) -> tuple[str, bool]:
        if probe.rate_rps >= 100 and probe.rate_rps not in voided:
            voided.append(probe.rate_rps)
            return Outcome.VOID, False
        return (Outcome.KEPT if probe.rate_rps < 180 else Outcome.MISSED), True

    result = found(Goal(budget_s=600), searched(outcome, Goal(budget_s=600)))
    assert not result.ceiling
    assert result.kept_rps == pytest.approx(178, rel=0.02)


def test_the_largest_rate_allowed_is_a_ceiling_too() -> None:
    goal = Goal(highest_rps=400.0)
    result = found(goal, searched(lambda _: (Outcome.KEPT, True), goal))
    assert result.ceiling
    assert result.kept_rps == 400


def test_a_search_whose_time_is_up_says_what_it_knows() -> None:
    goal = Goal(budget_s=60.0)
    history = searched(queue_of(178.0, 1), goal)
    assert not found(goal, history).finished
    assert spent_s(history) < goal.budget_s + 15


def test_void_windows_apart_from_each_other_are_no_ceiling() -> None:
    fine = Probe(100.0, GOAL.fine_s)
    assert found(GOAL, [Tried(fine, Outcome.VOID), Tried(fine, Outcome.VOID)]).ceiling
    assert not found(GOAL, [Tried(fine, Outcome.VOID), Tried(fine, Outcome.KEPT), Tried(fine, Outcome.VOID)]).ceiling


def test_a_rate_kept_above_one_that_missed_does_not_count() -> None:
    rates = {90.0: Outcome.KEPT, 100.0: Outcome.MISSED, 120.0: Outcome.KEPT}
    result = found(GOAL, [Tried(Probe(rate, GOAL.fine_s), outcome, True) for rate, outcome in rates.items()])
    assert (result.kept_rps, result.missed_rps, result.sure_rps) == (90.0, 100.0, 90.0)


def test_a_short_window_that_kept_more_than_long_ones_decided_is_no_lower_end() -> None:
    short, long = GOAL.coarse_s, GOAL.fine_s
    history = [
        *(Tried(Probe(rate, short), Outcome.KEPT, clear=True) for rate in (42.1, 45.9)),
        *(Tried(Probe(rate, long), Outcome.KEPT, clear=True) for rate in (45.0,)),
        *(Tried(Probe(rate, long), Outcome.MISSED, clear=True) for rate in (46.8,)),
    ]
    assert found(GOAL, history).interval == Interval(45.0, 45.0, 46.8)


def test_a_first_rate_that_is_far_too_high_is_left_by_a_factor_of_four() -> None:
    assert next_probe(GOAL, [Tried(Probe(50.0, 2.0), Outcome.MISSED, True)]) == Probe(12.5, 2.0)


def test_a_guess_that_is_far_off_is_left_in_strides_that_double() -> None:
    history = [Tried(Probe(100.0, 2.0), Outcome.KEPT, True), Tried(Probe(110.0, 2.0), Outcome.MISSED, True)]
    rates = []
    for _ in range(4):
        probe = next_probe(GOAL, history)
        assert probe is not None
        rates.append(probe.rate_rps)
        history.append(Tried(probe, Outcome.MISSED, True))
    strides = [high / low for high, low in pairwise(rates)]
    assert strides == pytest.approx([1.04, 1.04**2, 1.04**4], abs=0.01)


def test_time_spent_holds_the_fresh_start_of_a_late_server() -> None:
    probe = Probe(100.0, 8.0)
    assert spent_s([Tried(probe, Outcome.KEPT, took_s=11.0)]) == 11.0
    assert spent_s([Tried(probe, Outcome.MISSED, took_s=11.0)]) == 12.0
    assert spent_s([Tried(probe, Outcome.KEPT)]) == pytest.approx(10.2), "about, where it was not measured"
    assert spent_s([Tried(probe, Outcome.MISSED)]) == pytest.approx(11.7)


def test_a_window_begins_only_where_there_is_time_for_it_even_if_the_server_is_late() -> None:
    """Two seconds, 2.2 s beside them, and 3.5 s for a late server."""
    tries = [[Tried(Probe(50.0, 2.0), Outcome.KEPT, True, took_s)] for took_s in (172.2, 172.4)]
    assert [next_probe(GOAL, history) is None for history in tries] == [False, True]


def test_near_the_bound_two_of_three_windows_decide() -> None:
    coarse = [Tried(Probe(50, 2.0), Outcome.KEPT, True), Tried(Probe(56, 2.0), Outcome.MISSED, True)]
    (first,) = {next_probe(GOAL, coarse)}
    assert first is not None
    for outcomes, decided in (
        ([Outcome.KEPT], False),
        ([Outcome.KEPT, Outcome.MISSED], False),
        ([Outcome.KEPT, Outcome.MISSED, Outcome.KEPT], True),
    ):
        history = [*coarse, *(Tried(first, each) for each in outcomes)]
        assert (next_probe(GOAL, history) != first) is decided


@pytest.mark.parametrize(
    ("latencies", "failed", "objective", "outcome", "clear"),
    [
        ([24.0] * 600, 0, "p99<250ms", Outcome.KEPT, True),
        ([200.0] * 600, 0, "p99<250ms", Outcome.KEPT, False),
        ([300.0] * 600, 0, "p99<250ms", Outcome.MISSED, False),
        ([600.0] * 600, 0, "p99<250ms", Outcome.MISSED, True),
        ([24.0] * 580, 20, "p99<250ms", Outcome.MISSED, True),
        ([24.0] * 590, 10, "p95<250ms and failed<1%", Outcome.MISSED, False),
        ([24.0] * 600, 0, "p99.9<250ms and failed<1%", Outcome.KEPT, True),
    ],
)
def test_one_window_is_held_against_every_term(
    latencies: list[float], failed: int, objective: str, outcome: str, clear: bool
) -> None:
    window = plain_window(latencies, len(latencies) + failed)
    said = tried(window, slo.parse(objective))
    assert (said.outcome, said.clear) == (outcome, clear)


def test_void_and_dead_windows_are_told_apart() -> None:
    window = plain_window([24.0] * 600)
    assert tried(replace(window, void="k6 was short of CPU"), P99).outcome == Outcome.VOID
    assert tried(Window(plan(), None, None, died="killed"), P99) == Tried(Probe(100.0, 6.0), Outcome.MISSED, True)


def measured(wanted: WindowPlan) -> Window:
    """A window as the queue of a real server gives it."""
    model: Model = FACTORY_MODELS[wanted.server]
    rng = random.Random(wanted.order)
    count = math.ceil(wanted.rate_rps * wanted.duration_s)
    latencies = _queue(model, wanted.rate_rps, count, 1.0, rng)
    return Window(
        wanted, load_result(latencies), usage(count, service_ms=model.service_ms, cpu_ms_per_request=model.cpu_ms)
    )


@pytest.fixture
def saved(tmp_path: Path) -> RunFolder:
    """A capacity run of two servers, as it lies on disk."""
    settings = Settings(("dev-single", "gunicorn"), "mix", (), 0, GOAL.fine_s, seed=3)
    folder = RunFolder.create(tmp_path / "run")
    windows: list[Window] = []
    for each in plan_search(settings, GOAL, P99, windows):
        windows.append(measured(each))
        folder.append(windows[-1])
    servers = [
        {"name": each.name, "pattern": each.pattern, "concurrency": each.concurrency, "slots": each.slots}
        for each in SERVERS
        if each.name in settings.servers
    ]
    said = {"command": "capacity", "engine": "local", "workload": "mix", "slo": str(P99), "servers": servers}
    folder.write_manifest(manifest(**said, search=GOAL.to_json(), cpu_sets={"servers": "0", "load": "1"}))
    return folder


def test_saved_windows_give_capacity_its_limits_and_what_binds(saved: RunFolder) -> None:
    verdict = api.report(saved.path).verdict.to_json()
    rows = {row["server"]: row for row in verdict["servers"]}
    for name, slots in (("dev-single", 1), ("gunicorn", 4)):
        row, limit = rows[name], slots / FACTORY_MODELS[name].service_ms * 1000
        assert row["capacity_rps"]["value"] == pytest.approx(limit, rel=0.08)
        assert row["capacity_rps"]["low"] <= row["capacity_rps"]["value"] < row["capacity_rps"]["high"]
        assert row["slots_allow_rps"] == pytest.approx(limit, rel=0.01)
        assert row["binds"] == "slots"
        assert row["verdict"] == "good"
    assert verdict["claims"] == verdict["comparisons"] == verdict["problems"] == []
    for report in ("report.md", "report.html"):
        assert f"{rows['gunicorn']['capacity_rps']['value']:g} rps" in (saved.path / report).read_text()
    assert api.report(saved.path).verdict.to_json() == verdict


def test_a_search_that_was_cut_short_is_inconclusive_and_says_so(saved: RunFolder) -> None:
    windows, _ = saved.read()
    described, _ = saved.read_manifest()
    rows = {row.server: row for row in api.judge(windows[:8], described, []).servers}
    assert rows["gunicorn"].rating == "inconclusive"


LATE = Tried(Probe(200.0, 2.0), Outcome.MISSED, True)


@pytest.mark.parametrize(
    ("kept_rps", "cores", "binds", "cpu_allows_rps"),
    [(165.0, 2, "slots", 400.0), (155.0, 2, "neither slots nor CPU", 400.0), (165.0, 1, "CPU", 200.0)],
)
def test_what_is_near_the_capacity_binds(kept_rps: float, cores: int, binds: str, cpu_allows_rps: float) -> None:
    """Four slots of 20 ms allow 200 rps, of 19 ms 210; a request costs 5 ms at the rate that was kept."""
    service_ms = 20.0 if cores > 1 else 19.0
    loads = [with_cost(rate, cost) for rate, cost in ((50.0, 4.0), (kept_rps, 5.0), (300.0, 9.0))]
    row = ServerRow("gunicorn", "Gunicorn", "4", 4, None, Interval(service_ms), "", "", tuple(loads))
    fine = [Tried(Probe(kept_rps, 8.0), Outcome.KEPT, True), Tried(Probe(kept_rps * 1.01, 8.0), Outcome.MISSED, True)]
    judged = capacity_row(row, [Tried(Probe(100.0, 2.0), Outcome.KEPT, True), LATE, *fine], GOAL, P99, cores)
    assert (judged.limited_by, judged.cpu_allows_rps) == (binds, cpu_allows_rps)


def test_a_capacity_that_the_app_sets_is_limited_by_neither_slots_nor_cpu() -> None:
    """No rate was kept, or a higher one was missed, because every twentieth request takes a second by itself."""
    cause = Cause(Kind.APP, "the app itself: 1 request in 20 takes 1 s inside it", of_app=True)
    missed = replace(with_cost(166.0, 5.0), rating=Rating.BAD, causes=(cause,))
    row = ServerRow("gunicorn", "Gunicorn", "4", 4, None, Interval(20.0), "", "", (with_cost(165.0, 5.0), missed))
    fine = [Tried(Probe(165.0, 8.0), Outcome.KEPT, True), Tried(Probe(166.0, 8.0), Outcome.MISSED, True)]
    judged = capacity_row(row, [Tried(Probe(100.0, 2.0), Outcome.KEPT, True), LATE, *fine], GOAL, P99, 2)
    assert judged.limited_by is None
    assert f"; {cause.sentence}; " in judged.why


def test_slots_that_were_seen_are_the_ones_that_limit() -> None:
    row = ServerRow(
        "gunicorn", "Gunicorn", "4", 4, None, Interval(20.0), "", "", (with_cost(165.0, 1.0),), slots_seen=8
    )
    fine = [Tried(Probe(330.0, 8.0), Outcome.KEPT, True), Tried(Probe(333.0, 8.0), Outcome.MISSED, True)]
    judged = capacity_row(row, [Tried(Probe(300.0, 2.0), Outcome.KEPT, True), LATE, *fine], GOAL, P99, 2)
    assert (judged.limited_by, judged.slots_allow_rps) == ("slots", 400.0)
    assert "8 slots seen ÷ 20.0 ms allow 400 rps" in judged.why
    assert judged.why.endswith("limited by slots")
    more = capacity_row(replace(row, slots_full=False), [LATE, *fine], GOAL, P99, 2)
    assert (more.limited_by, more.slots_allow_rps) == (None, 400.0), "there may be more than eight"
    assert "at least 8 slots seen ÷ 20.0 ms allow 400 rps" in more.why
    assert "limited by" not in more.why


def with_cost(rate_rps: float, cpu_ms: float) -> LoadRow:
    return LoadRow(rate_rps, 1, 0, "good", "", {**dict.fromkeys(FIGURES), "cpu_ms_per_request": Interval(cpu_ms)})


def test_a_search_that_k6_ended_is_good_for_what_it_showed() -> None:
    coarse = [Tried(Probe(100.0, 2.0), Outcome.KEPT, True), *[Tried(Probe(200.0, 2.0), Outcome.VOID)] * 2]
    row = ServerRow("dev", "dev", "unbounded", None, None, None, "", "", ())
    judged = capacity_row(row, [*coarse, Tried(Probe(100.0, 8.0), Outcome.KEPT, True)], GOAL, P99, 1)
    assert judged.rating == "good"
    assert "at least: above that k6 could not be trusted" in judged.why


def test_servers_take_turns_in_an_order_that_the_seed_decides() -> None:
    def first_turn(seed: int) -> list[str]:
        plans = plan_search(Settings(("a", "b", "c"), "mix", (), 0, GOAL.fine_s, seed=seed), GOAL, P99, [])
        return [each.server for each in islice(plans, 3)]

    assert {"".join(sorted(first_turn(seed))) for seed in range(9)} == {"abc"}
    assert len({tuple(first_turn(seed)) for seed in range(9)}) > 2
    assert first_turn(5) == first_turn(5)


def test_a_server_that_is_gone_is_asked_no_more() -> None:
    windows: list[Window] = []
    for each in plan_search(Settings(("a",), "mix", (), 0, GOAL.fine_s), GOAL, P99, windows):
        windows.append(Window(each, None, None, died="killed"))
    assert len(windows) == 1
