"""Middleware and exporter on real servers: what was asked is what is counted, also when workers or servers die."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from served import GUNICORN, SERVE, SERVERS, UWSGI, UWSGI_FORKING_LATE, Running, children, serving, until

from wsgilab.machine.ports import free_port

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc on this system")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with serving(SERVERS[request.param], tmp_path) as running:
        yield running


def test_what_was_asked_is_what_is_counted(server: Running) -> None:
    before = server.metrics()
    with ThreadPoolExecutor(4) as clients:
        statuses = list(clients.map(server.get, ["/"] * 40 + ["/nope"] * 10 + ["/fails"] * 5))
    assert statuses.count(200) == 40
    assert statuses.count(404) == 10

    def finished(metrics: dict[str, float]) -> bool:
        return metrics["wsgi_requests_in_flight"] == 0 and metrics["wsgi_request_duration_seconds_count"] >= (
            before["wsgi_request_duration_seconds_count"] + 55
        )

    after = until(server.metrics, finished, "all requests are counted and none is in flight")
    grown = {key: after[key] - before.get(key, 0) for key in after}
    assert grown['wsgi_requests_total{code="200"}'] == 40
    assert grown['wsgi_requests_total{code="404"}'] == 10
    assert grown['wsgi_requests_total{code="500"}'] == 5
    assert grown["wsgi_request_duration_seconds_count"] == 55
    assert grown['wsgi_request_duration_seconds_bucket{le="+Inf"}'] == 55
    assert grown["server_cpu_seconds_total"] > 0
    assert not any(key.startswith("exporter_errors_total") for key in after)
    assert {"server_up", "server_memory_pss_bytes", "server_listen_queue", "server_open_fds"} <= after.keys()


def test_every_answer_names_the_server(server: Running) -> None:
    with urllib.request.urlopen(server.url, timeout=10) as response:
        assert response.headers["X-Lab-Server"] == "tested"
        assert response.read() == b"ok"


def test_a_scraper_may_keep_its_connection(server: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.exporter_port, timeout=10)
    with contextlib.closing(connection):
        ports = set()
        for _ in range(3):
            connection.request("GET", "/metrics")
            ports.add(connection.sock.getsockname()[1])
            answer = connection.getresponse()
            assert answer.status == 200
            assert b"server_up 1.0" in answer.read()
    assert len(ports) == 1


def test_a_page_of_somebody_else_that_points_its_name_here_reads_nothing(tmp_path: Path) -> None:
    with serving(GUNICORN, tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.exporter_port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics", headers={"Host": f"evil.example:{server.exporter_port}"})
            answer = connection.getresponse()
            assert answer.status == 403
            assert b"server_up" not in answer.read()


def test_the_servers_process_tree_does_not_contain_the_exporter(server: Running) -> None:
    def commands(pid: int) -> list[str]:
        own = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        return [own, *(line for child in children(pid) for line in commands(child))]

    assert not [line for line in commands(server.process.pid) if "exporter.py" in line]

    def counted() -> tuple[float, int]:
        return server.metrics()["server_processes"], len(commands(server.process.pid))

    # A server answers as soon as its first worker does; the others may still be on their way.
    until(counted, lambda counts: counts[0] == counts[1], "the exporter counts the processes that there are")


def test_a_request_under_way_is_in_flight(server: Running) -> None:
    with ThreadPoolExecutor(1) as client:
        status = client.submit(server.get, "/waits")
        until(lambda: server.metrics()["wsgi_requests_in_flight"], lambda n: n == 1, "it is in flight", within_s=5)
        assert status.result() == 200
    until(lambda: server.metrics()["wsgi_requests_in_flight"], lambda n: n == 0, "it has ended")


@pytest.mark.parametrize("command", [GUNICORN, UWSGI, UWSGI_FORKING_LATE], ids=["gunicorn", "uwsgi", "uwsgi late"])
def test_counters_survive_the_death_of_workers_and_what_they_did_stops_being_in_flight(
    command: str, tmp_path: Path
) -> None:
    with serving(command, tmp_path, WAITS_S="60") as server, ThreadPoolExecutor(3) as clients:
        for _ in range(30):
            server.get()
        stuck = [clients.submit(server.get, "/waits") for _ in range(2)]
        before = until(server.metrics, lambda m: m["wsgi_requests_in_flight"] == 2, "two requests are under way")
        victims = server.workers()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        for request in stuck:
            assert request.result() == 0
        until(server.workers, lambda pids: len(pids) == 3 and not set(pids) & set(victims), "workers are replaced")
        until(server.get, lambda status: status == 200, "it answers again")

        after = until(server.metrics, lambda m: m["wsgi_requests_in_flight"] == 0, "nothing is in flight")
        counters = [key for key in before if key.split("{")[0].endswith(("_total", "_count", "_sum", "_bucket"))]
        # A worker's own series ends with it; what it did stays in the server's.
        lasting = [key for key in counters if not key.startswith("wsgi_worker_")]
        assert [key for key in lasting if after[key] < before[key]] == []
        assert after['wsgi_requests_total{code="200"}'] > before['wsgi_requests_total{code="200"}'] >= 30
        assert after["server_start_time_seconds"] == before["server_start_time_seconds"]
        tables = list((tmp_path / "run" / "metrics").iterdir())
        assert {int(table.name.split("-")[0]) for table in tables} <= set(server.workers())


def test_the_exporter_ends_when_its_server_is_killed(tmp_path: Path) -> None:
    with serving(GUNICORN, tmp_path) as server:
        assert server.metrics()["server_up"] == 1
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()

        def connects() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", server.exporter_port)) == 0

        until(connects, lambda open_: not open_, "the exporter's port is closed")


def test_uwsgis_own_figures_are_there_and_absent_elsewhere(tmp_path: Path) -> None:
    with serving(UWSGI, tmp_path) as server:
        server.get("/fails")
        metrics = until(server.metrics, lambda m: m["uwsgi_exceptions_total"] == 1, "uWSGI counts the exception")
        assert metrics["uwsgi_workers"] == 3
        assert metrics["uwsgi_workers_busy"] == 0
        assert metrics["uwsgi_harakiri_total"] == 0


def test_a_stats_socket_that_does_not_answer_is_an_error_and_not_a_zero(tmp_path: Path) -> None:
    with serving(GUNICORN, tmp_path) as server, socket.socket(socket.AF_UNIX) as mute:
        assert not [key for key in server.metrics() if key.startswith("uwsgi_")]
        mute.bind(str(tmp_path / "run" / "uwsgi-stats.sock"))
        mute.listen()
        metrics = server.metrics()
        assert metrics['exporter_errors_total{source="uwsgi"}'] == 1
        assert not [key for key in metrics if key.startswith("uwsgi_")]


@pytest.mark.parametrize("bind", ["127.0.0.1:{port}", "unix:{run_dir}/server.sock"], ids=["TCP", "unix"])
def test_connections_that_nobody_accepts_are_the_listen_queue(bind: str, tmp_path: Path) -> None:
    # On a unix socket as well as the port, so that readiness can be asked for over HTTP.
    command = f"gunicorn -w 1 --no-control-socket -b {bind} -b 127.0.0.1:{{port}} wsgi:application"
    if "{port}" in bind:
        command = f"gunicorn -w 1 --no-control-socket -b {bind} wsgi:application"
    with serving(command, tmp_path) as server, contextlib.ExitStack() as clients:
        assert server.metrics()["server_listen_queue"] == 0
        os.kill(server.workers()[0], signal.SIGSTOP)
        for _ in range(5):
            if "unix" in bind:
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(str(tmp_path / "run" / "server.sock"))
            else:
                address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
                clients.enter_context(socket.create_connection(address, timeout=5))
        assert server.metrics()["server_listen_queue"] == 5


def run_entrypoint(run_dir: str, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "LAB_RUN_DIR": run_dir, "LAB_EXPORTER_PORT": "1"}
    return subprocess.run(
        [SERVE / "entrypoint.sh", *command], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def test_a_run_folder_that_cannot_be_written_is_said_in_three_parts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run_entrypoint(str(tmp_path / "file"), "true")
    assert done.returncode == 3
    what, cause, next_command = done.stderr.splitlines()
    assert what.startswith(f"{tmp_path}/file/metrics cannot be made")
    assert cause.startswith("  Likely cause: ")
    assert next_command.startswith("  Next: ")


def test_the_entrypoint_wants_a_command_and_a_run_folder() -> None:
    assert run_entrypoint("/tmp").returncode == 2
    assert run_entrypoint("", "true").returncode == 2


def test_counts_of_an_earlier_run_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "1-1.table").write_bytes(bytes(8))
    assert run_entrypoint(str(tmp_path), "ls", str(tmp_path / "metrics")).stdout == ""


def test_the_entrypoint_becomes_the_server(tmp_path: Path) -> None:
    done = run_entrypoint(str(tmp_path), sys.executable, "-c", "import os; print(os.getppid()); raise SystemExit(7)")
    assert done.stdout == f"{os.getpid()}\n"
    assert done.returncode == 7


def run_exporter(*arguments: str, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, SERVE / "exporter.py", *arguments],
        env={"LAB_EXPORTER_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with run_exporter("--pid", str(os.getpid()), port=port) as exporter:
            _, stderr = exporter.communicate(timeout=30)
    assert exporter.returncode == 3
    assert stderr.splitlines() == [
        f"exporter: cannot listen on 127.0.0.1:{port} (LAB_EXPORTER_HOST, LAB_EXPORTER_PORT): "
        "[Errno 98] Address already in use"
    ]


def test_beside_a_proxy_the_exporter_waits_for_it_and_reads_its_status_page(tmp_path: Path) -> None:
    status = "Active connections: 3 \nserver accepts handled requests\n 11 10 30 \nReading: 0 Writing: 1 Waiting: 2 \n"
    (tmp_path / "nginx_status").write_text(status)
    program = tmp_path / "lab-proxy"
    program.symlink_to(sys.executable)
    port, exporter_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/nginx_status"
    with run_exporter("--process", "lab-proxy", "--stub-status", url, port=exporter_port) as exporter:
        proxy = subprocess.Popen(
            [program, "-m", "http.server", "--bind", "127.0.0.1", str(port)], cwd=tmp_path, stderr=subprocess.DEVNULL
        )
        try:
            reading = Running(proxy, url, exporter_port, tmp_path).metrics
            metrics = until(reading, lambda m: "nginx_requests_total" in m, "the status page is read")
            assert metrics["nginx_requests_total"] == 30
            assert metrics["nginx_connections_active"] == 3
            assert metrics["nginx_connections_accepted_total"] == 11
            assert metrics["nginx_connections_handled_total"] == 10
            assert metrics["server_processes"] == 1
            assert metrics["server_up"] == 1
            assert not [key for key in metrics if key.startswith("wsgi_")]
        finally:
            proxy.kill()
            proxy.wait()
        assert exporter.wait(timeout=20) == 0
