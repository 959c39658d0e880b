"""Windows of two servers that take turns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories import plan
from windows_world import World

from wsgilab.errors import LabError

# ── two that take turns ─────────────────────────────────────────────────────────────────────────────────────────────

TURNS = (plan("gunicorn", turns_with="uwsgi"), plan("uwsgi", turns_with="gunicorn", order=1))


def test_two_that_take_turns_have_a_window_each_of_the_same_time(world: World) -> None:
    windows = world.run(*TURNS, plan("uwsgi", order=2))
    assert world.did == ["window of gunicorn", "window of uwsgi"], "the first is that of both"
    assert [window.plan.server for window in windows] == ["gunicorn", "uwsgi", "uwsgi"]
    assert [(window.void, window.died, window.usage is None) for window in windows[:2]] == [(None, None, False)] * 2
    assert windows[0].took_s == windows[1].took_s < windows[2].took_s
    assert windows[0].took_s + windows[1].took_s == pytest.approx(windows[2].took_s, abs=0.5)


def test_what_is_lost_of_one_is_lost_of_both(world: World) -> None:
    silent = "no answer before the window"
    world.exporter = lambda: None
    first, second = world.run(*TURNS)
    assert silent in (first.void or "")
    assert silent in (second.void or "")


def test_one_whose_other_does_not_start_again_has_no_window(world: World) -> None:
    world.comes_back = False
    world.dead = "ended with exit code 1"
    alone, one, other = world.run(plan("gunicorn"), *(replace(turn, order=turn.order + 1) for turn in TURNS))
    assert alone.died
    assert one.died
    assert one.died.startswith("did not start again")
    assert (other.died, other.void) == (None, "the server that it took turns with was lost")


def test_a_load_of_which_nothing_came_is_void_for_both(world: World) -> None:
    world.result = LabError("k6 for uwsgi gave no result: it was killed", "cause", "next")
    assert [window.void for window in world.run(*TURNS)] == ["k6 for uwsgi gave no result: it was killed"] * 2
