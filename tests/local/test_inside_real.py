"""What went on inside real servers, as a window's account has it: how much at once, who came and went, and why."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from served import GUNICORN, SERVERS, UWSGI, Running, serving, until

from wsgilab.measure.inside import to_inside
from wsgilab.measure.readings import Reading, take_reading
from wsgilab.model.window import Inside

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc on this system")


def reading(server: Running) -> Reading:
    taken = take_reading(f"http://127.0.0.1:{server.exporter_port}/metrics", None)
    assert taken is not None
    return taken


def inside_once(server: Running, before: Reading, holds: Callable[[Inside], bool], what: str) -> Inside:
    """The account since `before`, as soon as it holds."""
    readings = [before]

    def account() -> Inside:
        readings.append(reading(server))
        return to_inside(readings, [])

    return until(account, holds, what)


@pytest.mark.parametrize(
    ("name", "clients", "at_once", "in_one_process"),
    [("dev", 5, 5, 5), ("gunicorn", 8, 3, 1), ("gthread", 24, None, 4), ("gevent", 6, 6, None), ("uwsgi", 12, 6, 2)],
)
def test_slots_are_seen_whatever_makes_them(
    name: str, clients: int, at_once: int | None, in_one_process: int | None, tmp_path: Path
) -> None:
    with serving(SERVERS[name], tmp_path, WAITS_S="0.5") as server, ThreadPoolExecutor(clients) as pool:
        expected = {"dev": 0, "gunicorn": 3, "gthread": 2, "gevent": 2, "uwsgi": 3}[name]
        until(server.workers, lambda pids: len(pids) == expected, "all workers are there")
        before = reading(server)
        asked = list(pool.map(lambda _: server.get("/waits"), range(clients)))
        assert asked == [200] * clients
        inside = inside_once(
            server, before, lambda inside: inside.app_statuses == {"200": clients}, "all requests are counted"
        )
        assert at_once in (None, inside.at_once)
        assert in_one_process in (None, inside.at_once_in_one_process)
        assert (inside.worker_starts, inside.worker_ends) == (0, {}), "a worker's first request is not its start"
        assert inside.app_time_ms["+Inf"] == clients
        assert inside.app_time_ms["350"] == 0
        assert inside.connections_max is not None
        configured = {"gunicorn": 3, "gthread": 8, "gevent": 2000, "uwsgi": 6}.get(name)
        assert inside.slots_configured == configured, "what it says itself"


def test_connections_are_those_of_clients_whether_accepted_or_not(tmp_path: Path) -> None:
    with serving(SERVERS["gunicorn"], tmp_path, WAITS_S="2") as server, ThreadPoolExecutor(7) as pool:
        before = reading(server)
        assert before.connections == 0
        for _ in range(7):
            pool.submit(server.get, "/waits")
        inside_once(server, before, lambda inside: inside.connections_max == 7, "three are served and four wait")


@pytest.mark.parametrize(
    ("arguments", "path", "why"),
    [("--timeout=1", "/waits", "timeout"), ("--max-requests=5", "/", "max_requests"), ("", "/exits", "exit 7")],
)
def test_gunicorn_says_why_its_workers_end(arguments: str, path: str, why: str, tmp_path: Path) -> None:
    with serving(GUNICORN, tmp_path, GUNICORN_CMD_ARGS=arguments, WAITS_S="30") as server:
        before = reading(server)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: server.get(path), range(20 if why == "max_requests" else 2)))
        # With 20 requests, workers that end after five cannot all be those of the beginning.
        starts = 1 if why == "max_requests" else 0
        inside = inside_once(
            server,
            before,
            lambda inside: sum(inside.worker_ends.values()) >= 2 and inside.worker_starts >= starts,
            "two workers have ended",
        )
        assert set(inside.worker_ends) == {why}
        assert inside.worker_timeout_s == (1.0 if why == "timeout" else 30.0)
        assert inside.start_cpu_s is None or 0.005 < inside.start_cpu_s < 5
        assert why != "max_requests" or inside.start_cpu_s, "what each that took over had used by its first request"


def test_gunicorns_reload_and_a_kill_are_told_apart(tmp_path: Path) -> None:
    with serving(GUNICORN, tmp_path) as server:
        before = reading(server)
        os.kill(server.workers()[0], signal.SIGKILL)
        inside_once(server, before, lambda inside: inside.worker_ends == {"SIGKILL": 1}, "a worker was killed")
        until(server.workers, lambda pids: len(pids) == 3, "it is replaced")
        before = reading(server)
        server.process.send_signal(signal.SIGHUP)
        inside_once(server, before, lambda inside: inside.worker_ends == {"reload": 3}, "all were reloaded")
        # The file of settings was read anew; what is noted afterwards still arrives.
        before = reading(server)
        server.get("/exits")
        inside_once(server, before, lambda inside: inside.worker_ends == {"exit 7": 1}, "one exits")


def test_uwsgis_harakiri_is_told_from_an_exit(tmp_path: Path) -> None:
    with serving(UWSGI, tmp_path, UWSGI_HARAKIRI="1", WAITS_S="30") as server:
        before = reading(server)
        server.get("/waits")
        inside_once(server, before, lambda inside: inside.worker_ends == {"harakiri": 1}, "a request took too long")
        until(server.get, lambda status: status == 200, "it answers again")
        before = reading(server)
        server.get("/exits")
        inside = inside_once(server, before, lambda inside: sum(inside.worker_ends.values()) == 1, "a worker exits")
        # Before Linux 6.15 nobody but a parent learns of the status.
        assert set(inside.worker_ends) <= {"exit 7", "unknown"}


def test_uwsgi_workers_that_are_replaced_or_done_without_have_not_died(tmp_path: Path) -> None:
    settings = {
        "UWSGI_MAX_REQUESTS": "5",
        "UWSGI_MIN_WORKER_LIFETIME": "1",
        "UWSGI_CHEAPER": "1",
        "UWSGI_CHEAPER_INITIAL": "3",
        "UWSGI_CHEAPER_OVERLOAD": "1",
    }
    with serving(UWSGI, tmp_path, **settings) as server:
        before, seen = reading(server), set()

        def reasons() -> set[str]:
            server.get()
            seen.update(to_inside([before, reading(server)], []).worker_ends)
            return seen

        until(reasons, lambda found: found >= {"max_requests", "cheaper"}, "both kinds of end are told")
        assert seen == {"max_requests", "cheaper"}
