"""What happens to servers between their windows: they drain, are reset, are started anew."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from factories import load_result, plan
from windows_world import K6_TAKES_S, QUIET, SERVERS, TRIES_S, World

from wsgilab.errors import Interrupted
from wsgilab.measure.readings import Reading
from wsgilab.measure.windows import measure
from wsgilab.model.server import Server
from wsgilab.model.window import LoadResult, Window

# ── before the next window ──────────────────────────────────────────────────────────────────────────────────────────


def busy_until(world: World, end: float, **how: Any) -> Callable[[], Reading]:
    return lambda: replace(QUIET, **(how if 1000.0 < world.now < end else {"requests": 800.0 * (world.now > 1000.0)}))


@pytest.mark.parametrize("how", [{"in_flight": 3.0}, {"listen_queue": 3.0}])
def test_a_server_that_is_soon_done_is_waited_for(world: World, how: dict[str, float]) -> None:
    world.exporter = busy_until(world, 1010.0, **how)
    (window,) = world.run(plan())
    assert world.did == ["window of gunicorn"]
    assert window.took_s == pytest.approx(10.1, abs=0.11)


def test_a_server_that_still_counts_requests_is_not_done(world: World) -> None:
    count = itertools.count()
    world.exporter = lambda: replace(QUIET, requests=float(next(count)))
    world.run(plan())
    assert world.did == ["window of gunicorn", "restart gunicorn"]


def test_a_server_that_is_not_done_is_started_anew(world: World) -> None:
    world.exporter = busy_until(world, 1030.0, in_flight=3.0)
    (window,) = world.run(plan())
    assert world.did == ["window of gunicorn", "restart gunicorn"]
    assert window.took_s == pytest.approx(K6_TAKES_S + 1.5, abs=0.21)


def test_where_answers_are_owed_a_fresh_start_is_not_put_off(world: World) -> None:
    assert isinstance(world.result, LoadResult)
    world.result = replace(world.result, ok=595, unanswered=5)
    world.exporter = busy_until(world, 1030.0, in_flight=3.0)
    (window,) = world.run(plan())
    assert world.did == ["window of gunicorn", "restart gunicorn"]
    assert window.took_s == pytest.approx(K6_TAKES_S, abs=0.21)


def test_where_no_server_can_be_started_anew_the_next_window_waits(world: World) -> None:
    world.restarts = False
    assert isinstance(world.result, LoadResult)
    world.result = replace(world.result, ok=595, unanswered=5)
    world.exporter = busy_until(world, 1030.0, in_flight=3.0)
    (window,) = world.run(plan())
    assert world.did == ["window of gunicorn"]
    assert world.now == pytest.approx(1030.0, abs=0.21)
    assert window.took_s == pytest.approx(K6_TAKES_S + 1.5, abs=0.21), "answers that are owed may still come"
    world.exporter = busy_until(world, 1e9, in_flight=3.0)
    world.run(plan())
    assert world.now < 1100.0, "but not for ever"


# ── fresh starts ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_window_may_want_a_fresh_server_and_says_what_that_took(world: World) -> None:
    first, second, third = world.run(plan(), plan(round=2, fresh=True), plan(round=2))
    assert world.did == ["window of gunicorn", "restart gunicorn", "window of gunicorn", "window of gunicorn"]
    assert (first.start_s, third.start_s) == (0.0, 0.0)
    assert 0 < second.start_s < 1
    assert second.took_s == pytest.approx(first.took_s, abs=0.21), "the start is not in it"


def test_a_server_that_has_not_served_since_its_start_is_fresh(world: World) -> None:
    world.exporter = busy_until(world, 1015.0, in_flight=3.0)
    world.run(plan(fresh=True), plan(round=2, fresh=True))
    assert world.did == ["window of gunicorn", "restart gunicorn", "window of gunicorn"], "late once, and started anew"


def test_where_no_server_can_be_started_anew_none_is(world: World) -> None:
    world.restarts = False
    _, second = world.run(plan(), plan(round=2, fresh=True))
    assert (second.load is not None, second.start_s) == (True, 0.0)
    assert world.did == ["window of gunicorn", "window of gunicorn"]


def test_a_server_that_does_not_come_back_fresh_is_lost(world: World) -> None:
    world.comes_back = False
    _, second, third = world.run(plan(), plan(round=2, fresh=True), plan(round=3, fresh=True))
    assert second.died == third.died == "did not start again: gunicorn did not start: exit code 1"
    assert (second.start_s, third.start_s) == (TRIES_S, 0.0), "what it took to try is told"
    assert world.did.count("restart gunicorn") == 1


def test_a_fresh_server_is_measured_when_it_has_done_with_starting(world: World) -> None:
    """Healthy with its first worker, it uses the CPU for two seconds more."""
    began: list[float] = []

    def starting() -> Reading:
        if not began and "restart gunicorn" in world.did:
            began.append(world.now)
        return replace(QUIET, requests=800.0 * (world.now > 1000), cpu_s=min(world.now - began[0], 2.0) if began else 0)

    world.exporter = starting
    _, second = world.run(plan(), plan(round=2, fresh=True))
    assert second.start_s == pytest.approx(2.3, abs=0.25)


def test_an_app_that_never_rests_is_measured_all_the_same(world: World) -> None:
    world.exporter = lambda: replace(QUIET, requests=800.0 * (world.now > 1000), cpu_s=world.now)
    _, second = world.run(plan(), plan(round=2, fresh=True))
    assert second.load is not None
    assert second.start_s < 4


def test_a_signal_ends_a_run_and_what_was_saved_stays(world: World) -> None:
    windows: list[Window] = []

    def save(window: Window) -> None:
        windows.append(window)
        world._event.set()

    with pytest.raises(Interrupted):
        measure([plan(), plan(round=2)], world.bench(), save, lambda _: None)
    assert len(windows) == 1


def test_an_app_is_reset_before_every_window_but_the_first_of_its_server(world: World) -> None:
    world.keeps_a_state = True
    world.run(plan("gunicorn"), plan("uwsgi"), replace(plan("gunicorn", order=2), fresh=True), plan("uwsgi", order=3))
    assert [done for done in world.did if not done.startswith("window")] == [
        "reset gunicorn",
        "restart gunicorn",
        "reset uwsgi",
    ]


def test_an_app_without_a_reset_is_not_reset_and_no_window_is_void_for_want_of_one(world: World) -> None:
    world.keeps_a_state, world.resets, world.refuses_reset = True, False, "Nobody can reset the app."
    windows = world.run(plan(), plan(order=1))
    assert "reset gunicorn" not in world.did
    assert world.refuses_reset not in {window.void for window in windows}


def test_a_window_before_which_the_app_could_not_be_reset_is_void_and_the_next_one_is_not(world: World) -> None:
    world.refuses_reset = "`make reset` failed: exit code 1"
    windows = world.run(plan(), plan(order=1))
    world.refuses_reset = None
    assert [window.void for window in windows] == [None, "`make reset` failed: exit code 1"]
    assert (windows[1].load, windows[1].died) == (None, None)


def test_where_a_service_of_the_app_has_ended_no_window_says_anything_of_a_server(world: World) -> None:
    world.lost = "the service db ended by SIGKILL"
    (window,) = world.run(plan())
    assert (window.void, window.died) == ("the service db ended by SIGKILL before the window", None)
    world.lost = None
    whole = world.bench().engine.death

    def dies(server: Server) -> str | None:
        world.lost = "the service db ended by SIGKILL" if world.now > 1005.0 else None
        return "ended with exit code 1" if world.lost else whole(server)

    world.death = dies  # type: ignore[method-assign]
    (window,) = world.run(plan())
    assert (window.void, window.died) == ("the service db ended by SIGKILL in the window", None)


def test_where_one_server_runs_at_a_time_a_late_one_is_left_to_the_next_start(world: World) -> None:
    world.one_at_a_time = True
    world.result = load_result([24.0] * 600, unanswered=50)
    world.run(plan("gunicorn"), replace(plan("uwsgi"), fresh=True))
    assert world.did == ["window of gunicorn", "window of uwsgi"], "both are fresh in this world"


def test_a_server_that_another_took_the_place_of_is_started_anew_although_it_never_served(world: World) -> None:
    world.one_at_a_time = True
    world.running = SERVERS[:1]
    world.run(plan("uwsgi", fresh=True), plan("gunicorn", fresh=True))
    assert world.did == ["restart uwsgi", "window of uwsgi", "restart gunicorn", "window of gunicorn"]
