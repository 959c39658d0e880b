"""A real k6 as a process: what it takes from its surroundings, what it gives to them, and how it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from k6_target import PLAN, Handler, launch, measure, needs_k6, target, unused_url
from support import K6_PATH, wait_for

import wsgilab.measure.load
from wsgilab.engines import Endpoint
from wsgilab.errors import LabError
from wsgilab.measure.k6_command import K6
from wsgilab.measure.load import start

pytestmark = needs_k6


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
        wait_for(lambda: server.seen["GET /"] > 0, "the load to begin")
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
        wait_for(lambda: server.seen["GET /"] > 0, "the load to begin")
        os.kill(run.pid, signal.SIGKILL)
        with pytest.raises(LabError, match="killed by SIGKILL"):
            run.result()


def test_stopping_ends_k6_and_may_be_repeated() -> None:
    with target(Handler.reply) as server, launch(server.url, duration_s=20.0) as run:
        wait_for(lambda: server.seen["GET /"] > 0, "the load to begin")
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
