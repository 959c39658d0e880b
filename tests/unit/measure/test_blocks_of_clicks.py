"""Which clicks are made in which order, and that nothing is asked for which cannot be."""

from __future__ import annotations

from collections import Counter

import pytest
from support import ROOT

from wsgilab.commands.values import LOADS
from wsgilab.errors import UsageError
from wsgilab.lab.servers import load_lab
from wsgilab.measure.background import as_window
from wsgilab.measure.vitals import actions_of, plan_blocks
from wsgilab.model.request import MAX_CLICKS, Request
from wsgilab.model.vitals import CONTENT_TIMEOUT_S, WIRINGS, BlockPlan

SERVERS = load_lab(ROOT, {}).select(["dev", "gunicorn"])
ASKED = Request(command="vitals", rates_rps=(0.0, 100.0), rounds=3, clicks=2, seed=7)


def test_each_round_has_every_server_under_every_load_once_with_every_button() -> None:
    plans = plan_blocks(ASKED, SERVERS, WIRINGS)
    assert [plan.order for plan in plans] == list(range(12))
    for number in (1, 2, 3):
        cells = Counter((plan.server, plan.rate_rps) for plan in plans if plan.round == number)
        assert cells == {(server, rate): 1 for server in ("dev", "gunicorn") for rate in (0.0, 100.0)}
    assert {frozenset(plan.actions) for plan in plans} == {frozenset(wiring.name for wiring in WIRINGS)}


def test_the_order_is_shuffled_and_the_same_for_the_same_seed() -> None:
    plans = plan_blocks(ASKED, SERVERS, WIRINGS)
    assert plans == plan_blocks(ASKED, SERVERS, WIRINGS)
    assert plans != plan_blocks(ASKED.but(seed=8), SERVERS, WIRINGS)
    assert len({plan.actions for plan in plans}) > 1


def test_the_load_of_a_block_outlasts_its_clicks_however_many_and_slow() -> None:
    for clicks in (1, 5, MAX_CLICKS):
        plan = BlockPlan("dev", 100.0, 1, 0, ("a", "b"), clicks)
        assert as_window(plan, "mix").duration_s > 2 * clicks * CONTENT_TIMEOUT_S + 60


def test_the_load_of_a_block_has_no_pause_as_that_after_a_warm_up_of_k6() -> None:
    assert as_window(BlockPlan("dev", 100.0, 1, 0, ("a",), 1), "mix").warmup_s == 0


def test_no_load_is_a_load_next_to_a_browser_and_nowhere_else() -> None:
    assert ASKED.loads_rps == (100.0,)
    with pytest.raises(UsageError):
        Request(command="run", rates_rps=(0.0, 100.0))
    with pytest.raises(UsageError):
        ASKED.but(rates_rps=(-1.0,))


@pytest.mark.parametrize(("text", "loads"), [("0,100", (0.0, 100.0)), ("idle", (0.0,)), ("12.5", (12.5,))])
def test_loads_are_read_as_they_are_typed(text: str, loads: tuple[float, ...]) -> None:
    assert LOADS.convert(text, None, None) == loads


def test_another_app_says_what_to_click_on(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "lab.toml"
    path.write_text('[[vitals.clicks]]\nname = "add"\npage = "/items/7"\nclick = "#add"\ncontent = "#basket"\n')
    (action,) = actions_of(ASKED.but(vitals=str(path)))
    assert (action.name, action.page, action.click, action.content) == ("add", "/items/7", "#add", "#basket")
    assert actions_of(ASKED) == WIRINGS
