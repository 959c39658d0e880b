"""What happens from window to window, by a clock that moves only when somebody waits: no process, no socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from factories import load_result, plan
from windows_world import K6_TAKES_S, QUIET, SERVERS, World

from wsgilab.errors import LabError
from wsgilab.measure.driving import measure_window
from wsgilab.measure.log_lines import with_log
from wsgilab.measure.readings import Reading
from wsgilab.model.window import LoadResult, Window


def test_a_healthy_window_is_valid_and_says_how_long_it_took(world: World) -> None:
    (window,) = world.run(plan())
    assert (window.void, window.died, window.notes) == (None, None, ())
    assert window.usage is not None
    assert window.usage.requests == 800
    assert K6_TAKES_S < window.took_s < K6_TAKES_S + 0.5
    assert world.did == ["window of gunicorn"], "a server that has drained is left as it is"


def test_the_exporter_is_read_about_once_a_second(world: World) -> None:
    (window,) = world.run(plan())
    assert window.usage is not None
    moments = [sample.at - 1000.0 for sample in window.usage.samples]
    assert moments == pytest.approx([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9.1], abs=0.11)


def test_figures_come_from_the_part_that_k6_measured(world: World) -> None:
    """From k6's first request on: the second before it cost a thousand times as much."""
    busy = {1000.0: 0.0, 1003.0: 3.0}
    world.exporter = lambda: replace(
        QUIET, requests=(world.now - 1000.0) * 100, cpu_s=busy.get(world.now, 0) or (world.now > 1002.5) * 3.0
    )
    assert isinstance(world.result, LoadResult)
    world.result = replace(world.result, started_at=1003.5)
    window = measure_window(plan(warmup_s=1.0, duration_s=4.0), SERVERS[0], world.bench()).window
    assert window.usage is not None
    assert window.usage.cpu_ms_per_request == 0.0


def test_what_k6_may_use_is_all_the_cpus_that_it_has(world: World) -> None:
    assert isinstance(world.result, LoadResult)
    world.result = replace(world.result, k6_cpu_s=8.5, wall_s=9.0)
    for cpus, valid in ((frozenset({1}), False), (frozenset({1, 2}), True)):
        window = measure_window(plan(), SERVERS[0], world.bench(cpus=cpus)).window
        assert (window.void is None) is valid
        world.now = 1000.0


def test_a_k6_without_a_result_voids_the_window_in_its_own_words(world: World) -> None:
    world.result = LabError("k6 gave no result: it was killed by SIGKILL", "k6 said nothing", "./lab doctor")
    (window,) = world.run(plan())
    assert (window.void, window.load, window.died) == ("k6 gave no result: it was killed by SIGKILL", None, None)


def test_what_the_kernel_did_is_noted(world: World) -> None:
    grown = replace(QUIET, requests=800.0, listen_overflows=7.0, throttled_s=0.5, oom_kills=2.0)
    world.exporter = lambda: grown if world.now > 1000.0 else QUIET
    (window,) = world.run(plan())
    assert window.notes == (
        "7 connection attempts found the listen queue full",
        "throttled for 0.50 s by a CPU quota",
        "2 processes killed by the kernel (out of memory)",
    )


def test_workers_that_ended_are_noted(world: World) -> None:
    grown = replace(QUIET, requests=800.0, worker_ends={"timeout": 3.0, "exit 1": 1.0})
    world.exporter = lambda: grown if world.now > 1000.0 else QUIET
    (window,) = world.run(plan())
    assert window.notes == (
        "the server killed its own worker 3 times (timeout)",
        "workers died once (exit status 1)",
    )


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (replace(QUIET, start_time=1005.0), "the server was started anew in the window"),
        (replace(QUIET, up=False), "the server was gone when the window ended"),
        (None, "the server was gone when the window ended"),
    ],
)
@pytest.mark.parametrize("restarts", [True, False], ids=["local", "Compose"])
def test_a_server_that_did_not_live_through_its_window_has_died(
    world: World, after: Reading | None, said: str, restarts: bool
) -> None:
    """Where Compose starts it again, `restart` waits for it."""
    world.restarts = restarts
    world.lives_on = False
    world.exporter = lambda: QUIET if world.now < 1005.0 else after
    windows = world.run(plan(), plan("uwsgi"))
    assert windows[0].died == said
    assert world.did[:3] == ["window of gunicorn", "restart gunicorn", "window of uwsgi"]


def test_how_the_engine_saw_it_die_is_said(world: World) -> None:
    world.exporter = lambda: None if world.dead else QUIET
    world.dead = "ended by SIGKILL"
    (window,) = world.run(plan())
    assert (window.died, window.load) == ("the server ended by SIGKILL before the window", None)
    assert window.took_s < 0.2, "nobody waits for a dead server's exporter"


@pytest.mark.parametrize("gone_from", [0.0, 1005.0], ids=["before", "in"])
def test_an_exporter_that_died_alone_takes_no_server_with_it(world: World, gone_from: float) -> None:
    world.exporter = lambda: replace(QUIET, requests=800.0 * (world.now > 1000)) if world.now < gone_from else None
    (window,) = world.run(plan())
    when = "in" if gone_from else "before"
    assert (window.died, window.void) == (
        None,
        f"its exporter gave no answer {when} the window; gunicorn itself lived",
    )
    assert world.did == ["window of gunicorn", "restart gunicorn"], "a fresh server has a fresh exporter"


def test_where_compose_supervises_the_way_to_get_an_exporter_back_is_said(world: World) -> None:
    world.restarts, world.exporter = False, lambda: None
    (window,) = world.run(plan())
    assert window.void == (
        "its exporter gave no answer before the window; gunicorn itself lived "
        "(`docker compose restart gunicorn` brings it back)"
    )


def test_in_a_cluster_that_way_names_the_namespace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "facts", lambda _self: {"namespace": "ours"}, raising=False)
    world.name, world.restarts, world.exporter = "kubernetes", False, lambda: None
    (window,) = world.run(plan())
    assert str(window.void).endswith("(`kubectl --namespace ours rollout restart deployment/gunicorn` brings it back)")


def test_a_proxy_that_died_is_named_and_started_again_and_its_server_lives(world: World) -> None:
    def dying() -> Reading | None:
        if world.now > 1005.0 and len(world.did) == 1:
            world.dead_proxy = "ended by SIGKILL"
        return None if world.dead_proxy else replace(QUIET, requests=800.0 * (len(world.did) % 2))

    world.exporter = dying
    first, _ = world.run(plan("uwsgi"), plan("uwsgi", round=2))
    assert first.died is None
    assert first.void == ("nginx, which stands in front of it, ended by SIGKILL in the window; uwsgi itself lived")
    assert world.did == ["window of uwsgi", "restart uwsgi", "window of uwsgi"]


def test_a_proxy_that_its_supervisor_started_again_voids_the_window(world: World) -> None:
    world.restarts = False
    world.exporter = lambda: replace(
        QUIET, requests=800.0 * (world.now > 1000), proxy_start_time=900.0 if world.now < 1005.0 else 1004.0
    )
    (window,) = world.run(plan("uwsgi"))
    assert (window.died, window.void) == (
        None,
        "nginx, which stands in front of it, was started anew in the window; uwsgi itself lived",
    )


def test_without_its_proxy_a_server_cannot_be_measured_and_that_is_no_fault_of_its_own(world: World) -> None:
    world.exporter = lambda: None if world.now > 1005.0 else QUIET
    world.dead_proxy, world.comes_back = "ended with exit code 1", False
    windows = world.run(plan("uwsgi"), plan("uwsgi", round=2), plan("gunicorn"))
    assert [window.died for window in windows[:2]] == [None, None]
    assert windows[1].void == "it could not be measured any more: nginx did not start: exit code 1"


def test_an_exporter_that_falls_silent_for_a_second_is_no_death(world: World) -> None:
    """Whether the server was done cannot be told then, so it is started anew."""
    world.exporter = lambda: (
        None if 1009.0 < world.now < 1010.0 else replace(QUIET, requests=800.0 * (world.now > 1000))
    )
    (window,) = world.run(plan())
    assert (window.died, window.void) == (None, None)
    assert world.did == ["window of gunicorn", "restart gunicorn"]


def test_a_server_that_does_not_start_again_is_measured_no_more_and_the_others_are(world: World) -> None:
    world.exporter = lambda: QUIET if world.now < 1005.0 else replace(QUIET, start_time=1005.0)
    world.comes_back = False
    windows = world.run(plan(), plan(round=2), plan("uwsgi"))
    assert windows[1] == Window(
        plan(round=2), None, None, died="did not start again: gunicorn did not start: exit code 1"
    )
    assert world.did == ["window of gunicorn", "restart gunicorn", "window of gunicorn", "window of uwsgi"]
    assert windows[2].load is not None


# ── its own words ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_odd_window_keeps_the_last_lines_of_its_servers_log(world: World) -> None:
    world.written = "\n".join(f"line {number}" for number in range(30)) + "\n\nKeyError: 'price'\n"
    (window,) = world.run(plan())
    assert window.log == (), "nothing was odd"
    assert isinstance(world.result, LoadResult)
    usual = world.result
    world.result = replace(usual, ok=590, failed=10, statuses={"200": 590, "500": 10})
    world.now = 1000.0
    (window,) = world.run(plan())
    assert len(window.log) == 10
    assert window.log[-2:] == ("line 29", "KeyError: 'price'")
    world.result = replace(usual, ok=590, failed=10, statuses={"200": 590, "0": 10})
    world.now = 1000.0
    assert world.run(plan())[0].log == (), "late answers leave nothing in a log"


def test_a_log_is_read_before_its_server_is_started_anew(world: World) -> None:
    world.lives_on = False
    world.exporter = lambda: QUIET if world.now < 1005.0 else None
    world.written = "out of memory"
    (window,) = world.run(plan())
    assert window.died is not None
    assert window.log == ("out of memory",)


def test_a_log_is_kept_without_secrets_and_home_folders() -> None:
    lines = ("connect postgres://shop:hunter22@db/shop", "bad token s3cr3t-value", "/home/ann/shop/app.py, line 3")
    written = "\n".join([*lines, "x" * 999])
    window = with_log(Window(plan(), None, None), written, {"API_TOKEN": "s3cr3t-value", "LAB_APP": "app:app"})
    coloured = with_log(Window(plan(), None, None), '\x1b[33m"GET / HTTP/1.1"\x1b[0m 404 -', {})
    assert coloured.log == ('"GET / HTTP/1.1" 404 -',)
    assert window.log[:3] == ("connect postgres://shop:***@db/shop", "bad token ***", "~/shop/app.py, line 3")
    assert len(window.log[3]) < 300


def test_where_the_floor_alone_breaks_the_objective_no_window_counts(world: World) -> None:
    why = "k6 alone takes longer"
    window = measure_window(plan(), SERVERS[0], world.bench(hopeless={100.0: why})).window
    assert window.void == why
    world.now = 1000.0
    window = measure_window(plan(), SERVERS[0], world.bench(hopeless={250.0: why})).window
    assert window.void is None


# ── who asked, and who refused ──────────────────────────────────────────────────────────────────────────────────────


def counting(world: World, so_many: float, afterwards_rps: float = 0.0) -> Callable[[], Reading]:
    """So many requests by the end of k6's schedule, and others afterwards."""

    def read() -> Reading:
        after_s = max(0.0, world.now - 1000.0 - K6_TAKES_S)
        done = min(1.0, (world.now - 1000.0) / K6_TAKES_S)
        return replace(QUIET, requests=so_many * done + afterwards_rps * after_s)

    return read


def test_an_app_that_calls_itself_stops_with_k6(world: World) -> None:
    world.exporter = counting(world, 1040.0)
    (window,) = world.run(plan())
    assert window.void is None
    assert window.usage
    assert (window.usage.requests, window.usage.asked_alone_rps) == (1040.0, 0.0)


def test_somebody_else_does_not(world: World) -> None:
    world.exporter = counting(world, 1040.0, afterwards_rps=9.0)
    (window,) = world.run(plan())
    assert window.void
    assert window.void.startswith("the counts disagree: k6 sent 800 requests and got 800 answers, the app counted 10")


def test_nobody_waits_to_see_where_the_counts_agree(world: World) -> None:
    (window,) = world.run(plan())
    assert window.usage
    assert window.usage.asked_alone_rps is None
    assert window.took_s < K6_TAKES_S + 0.5


def test_a_servers_log_says_what_it_turned_away(world: World) -> None:
    world.written = "booting\ninvalid request block size: 9300 (max 4096)...skip\n"
    world.result = load_result([], 600, statuses={"502": 600}, total_ok=0)
    world.exporter = lambda: QUIET
    (window,) = world.run(plan())
    assert window.void is None
    assert window.usage
    assert window.usage.inside
    assert window.usage.inside.refusals == {"buffer-size": 1}
    assert "invalid request block size" in window.log[-1]


def test_what_a_server_uses_between_its_windows_is_told(world: World) -> None:
    """A thread of the app takes 0.3 of a CPU, asked or not; the other server's window lies in between."""
    world.exporter = lambda: replace(QUIET, own_cpu_s=world.now * 0.3)
    world.result = load_result([], 600, statuses={"200": 0}, total_requests=0, total_sent=0, total_ok=0)
    first, _, third = world.run(plan("gunicorn"), plan("uwsgi"), plan("gunicorn", round=2))
    assert first.usage
    assert first.usage.inside
    assert first.usage.inside.idle_cores is None
    assert third.usage
    assert third.usage.inside
    assert third.usage.inside.idle_cores == pytest.approx(0.3)
