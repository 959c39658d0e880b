"""What came of each kind of request, and of an objective that one of them has by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from factories import RUN, SERVERS, named_window, plain_window

from wsgilab.analysis import capacity, gate
from wsgilab.analysis.by_request import only
from wsgilab.analysis.pipeline import analyse
from wsgilab.model import slo
from wsgilab.model.outcomes import Outcome, Rating
from wsgilab.model.request_row import RequestRow
from wsgilab.model.verdict import LoadRow, ServerRow
from wsgilab.model.window import Window

GUNICORN = [facts for facts in SERVERS if facts.name == "gunicorn"]


def judged(windows: Sequence[Window], objective: str = "p99<250ms") -> ServerRow:
    (row,) = analyse(windows, replace(RUN, servers=GUNICORN, objective=slo.parse(objective))).servers
    return row


def load(windows: Sequence[Window], objective: str = "p99<250ms") -> LoadRow:
    return judged(windows, objective).loads[0]


def named(row: LoadRow, name: str) -> RequestRow:
    (found,) = [one for one in row.requests if one.request == name]
    return found


def value(row: RequestRow, key: str) -> float:
    figure = row[key]
    assert figure
    return figure.value


THREE = [named_window(number) for number in (1, 2, 3)]


def test_each_name_has_figures_of_its_own_with_intervals() -> None:
    row = load(THREE)
    assert [(one.request, one.scheduled) for one in row.requests] == [("look", 1500), ("buy", 300)]
    look, buy = row.requests
    assert value(look, "p99_ms") == pytest.approx(22, abs=0.1)
    assert value(buy, "p99_ms") == pytest.approx(80, abs=0.1)
    interval = look["p99_ms"]
    assert interval
    assert interval.low is not None
    assert interval.low < 22 < (interval.high or 0)


def test_cpu_is_split_by_what_the_threads_of_each_used() -> None:
    look, buy = load(THREE).requests
    assert value(look, "app_cpu_ms") == pytest.approx(2.0)
    assert value(buy, "app_cpu_ms") == pytest.approx(30.0)
    assert value(look, "app_cpu_ratio") == pytest.approx(0.25)
    assert value(buy, "service_ms") == pytest.approx(70.0)


def test_where_requests_share_a_thread_nothing_is_said_of_their_cpu() -> None:
    shared = []
    for one in THREE:
        assert one.usage
        costs = {name: replace(cost, cpu_s=None) for name, cost in one.usage.by_request.items()}
        shared.append(replace(one, usage=replace(one.usage, by_request=costs)))
    look = load(shared).requests[0]
    assert (look["app_cpu_ms"], look["app_cpu_ratio"]) == (None, None)
    assert value(look, "service_ms") == pytest.approx(18.0)


def test_failures_belong_to_their_name_and_cut_off_its_percentiles_alone() -> None:
    row = load([named_window(number, buy_ms=[80.0] * 90) for number in (1, 2, 3)], "p95<250ms")
    look, buy = row.requests
    assert (value(look, "failed_ratio"), value(buy, "failed_ratio")) == (0.0, 0.1)
    p99 = buy["p99_ms"]
    assert p99
    assert (p99.value, p99.censored) == (10_000.0, True)
    assert row.rating is Rating.GOOD


def test_a_name_that_misses_its_objective_makes_the_server_bad_and_is_named() -> None:
    row = judged(THREE, "p99<250ms; buy: p95<50ms; look: p95<50ms")
    assert row.rating is Rating.BAD
    assert "buy: p95 80.0 ms (80.0–80.0), over 50 ms" in row.why
    assert "look" not in row.why
    assert [one.rating for one in row.loads[0].requests] == [Rating.GOOD, Rating.BAD]


def test_one_that_is_undecided_makes_the_server_so() -> None:
    uneven = [named_window(number, buy_ms=[ms] * 100) for number, ms in ((1, 80.0), (2, 110.0), (3, 90.0))]
    row = load(uneven, "p99<250ms; buy: p95<100ms")
    assert row.rating is Rating.INCONCLUSIVE
    assert row.why.startswith("buy: p95 ")


def test_all_keeping_theirs_leaves_the_reason_as_it_was() -> None:
    assert load(THREE, "p99<250ms; buy: p95<100ms").why == load(THREE).why


def test_a_name_that_was_never_asked_for_is_not_called_kept() -> None:
    row = load([named_window(1, buy_ms=(), buys=0)], "p99<250ms; buy: p95<100ms")
    assert (row.rating, row.why) == (Rating.INCONCLUSIVE, "buy: p95 could not be measured")
    assert named(row, "buy").scheduled == 0


def test_a_dead_server_fails_every_name() -> None:
    dead = [replace(named_window(number), load=None, usage=None, died="killed") for number in (2, 3)]
    buy = named(load([named_window(1), *dead]), "buy")
    p99 = buy["p99_ms"]
    assert p99
    assert p99.censored


def test_a_gate_fails_by_the_name_that_missed() -> None:
    verdict = analyse(THREE, replace(RUN, servers=GUNICORN, objective=slo.parse("p99<250ms; buy: p95<50ms")))
    found = gate.judge(verdict, ["gunicorn"])
    assert found.outcome is Outcome.MISSED
    assert "buy: p95 80.0 ms" in found.checks[0].sentence


def test_a_search_keeps_the_objectives_of_names_too() -> None:
    one = named_window()
    assert capacity.tried(one, slo.parse("p99<250ms")).outcome is capacity.Outcome.KEPT
    assert capacity.tried(one, slo.parse("p99<250ms; buy: p95<50ms")).outcome is capacity.Outcome.MISSED


def test_a_slow_name_is_the_apps_own_fault() -> None:
    """70 ms of the 80 ms are inside the app, and no CPU was short."""
    row = judged(THREE, "p99<250ms; buy: p95<50ms")
    assert row.why.startswith("the app itself: buy takes 70.0 ms inside it on average, over 50 ms; buy: p95 ")


def test_requests_without_a_name_have_no_rows() -> None:
    assert load([plain_window([20.0] * 600)]).requests == ()
    assert only(plain_window([20.0] * 600), "look") is None
