"""Since when workers live and why they end: gunicorn's notes, the kernel's statuses, uWSGI's harakiris."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import worker_ends
import workers
from tally import Tally, Worker
from uwsgi_stats import UwsgiStats
from worker_ends import ExitStatuses, GunicornNotes, describe
from workers import Workers

NOTHING = Tally(0.0, 0.0, (), {}, (), ())
UWSGI = UwsgiStats({1: 7}, frozenset(), 0, 0, harakiris=0, listen_queue=0, listen_queue_errors=0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(workers, "time", clock)
    return clock


def a_worker(pid: int, first_request_at: float = 5.0, has_left: bool = False) -> Worker:
    return Worker(pid, first_request_at, 6.0, has_left, {1: 6.0})


def living(*those: Worker) -> Tally:
    return replace(NOTHING, living=those)


def dead(*those: Worker) -> Tally:
    return replace(NOTHING, dead=those)


def test_the_first_reason_that_gunicorn_gives_counts_and_the_end_once(tmp_path: Path) -> None:
    notes = tmp_path / "gunicorn-notes"
    ends = GunicornNotes(notes)
    assert ends.read() is None, "some other server"
    notes.write_text("11 timeout\n11 exit 1\n11 ended exit 0\n12 SIGKILL\n12 ended exit 0\n13 ended exit 0\n14 time")
    assert ends.read() == {"timeout": 1, "SIGKILL": 1, "exit 0": 1}
    with notes.open("a") as file:
        file.write("out\n14 ended exit 0\n")
    assert ends.read() == {"timeout": 2, "SIGKILL": 1, "exit 0": 1}


def test_a_number_given_out_again_has_reasons_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "ends").write_text("11 timeout\n11 ended exit 0\n11 ended exit 0\n")
    assert GunicornNotes(tmp_path / "ends").read() == {"timeout": 1, "exit 0": 1}


@pytest.mark.parametrize(("status", "words"), [(0, "exit 0"), (3 << 8, "exit 3"), (9, "SIGKILL"), (134, "SIGABRT")])
def test_a_status_in_words(status: int, words: str) -> None:
    assert describe(status) == words


@pytest.fixture
def grandchild() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A process whose parent collects it only when it is told to."""
    program = (
        "import os, signal, sys, time\n"
        "pid = os.fork() or time.sleep(60)\n"
        "print(pid, flush=True)\n"
        "sys.stdin.readline(); os.waitpid(pid, 0); print('collected', flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        yield int(parent.stdout.readline()), parent
        parent.kill()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no pidfds on this system")
def test_the_kernel_tells_how_another_processs_child_has_ended(grandchild: tuple[int, subprocess.Popen[str]]) -> None:
    pid, parent = grandchild
    statuses = ExitStatuses()
    statuses.watch((pid, 1.0))
    os.kill(pid, signal.SIGKILL)
    # Before Linux 6.13 there is no such question, before 6.15 no answer to it.
    assert statuses.look((pid, 1.0)) in (None, "unknown")
    assert parent.stdin
    assert parent.stdout
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "collected\n"
    kernel = tuple(map(int, os.uname().release.split(".")[:2]))
    assert statuses.look((pid, 1.0)) == ("SIGKILL" if kernel >= (6, 15) else "unknown")
    statuses.let_go((pid, 1.0))
    assert statuses.look((pid, 1.0)) == "unknown"


def test_starts_are_told_of_the_living_and_for_ten_seconds_of_the_dead(tmp_path: Path, clock: Clock) -> None:
    here = a_worker(os.getpid(), time.time())
    watch = Workers(tmp_path)
    (started_at,) = watch.read(living(here), None).started_at.values()
    assert started_at < time.time()
    gone = a_worker(999_999, first_request_at=77.0)
    told = watch.read(replace(living(here), dead=(gone,)), None)
    assert told.started_at == {os.getpid(): started_at, 999_999: 77.0}, "it came and went between two readings"
    clock.now += 11.0
    assert watch.read(living(here), None).started_at == {os.getpid(): started_at}


def test_a_killed_uwsgi_worker_waits_for_its_master_to_say_whether_it_was_harakiri(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_ends.ExitStatuses, "look", lambda *_: "SIGKILL")
    watch = Workers(tmp_path)
    assert watch.read(dead(a_worker(7)), UWSGI).ends == {}, "uWSGI still lists it"
    assert watch.read(NOTHING, None).ends == {}, "and is late to answer this time"
    assert watch.read(NOTHING, replace(UWSGI, pids={1: 8}, harakiris=1)).ends == {"harakiri": 1}
    both = replace(UWSGI, pids={1: 9}, harakiris=1)
    assert watch.read(dead(a_worker(8)), both).ends == {"harakiri": 1, "SIGKILL": 1}, "each is told once"


def test_a_worker_whose_end_nobody_explains_in_time_is_unknown(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_ends.ExitStatuses, "look", lambda *_: None)
    watch = Workers(tmp_path)
    assert watch.read(dead(a_worker(7)), None).ends == {}
    clock.now += 6.0
    assert watch.read(NOTHING, None).ends == {"unknown": 1}


@pytest.mark.parametrize(
    ("has_left", "status", "cheap", "most", "why"),
    [
        (True, "exit 30", {1}, "", "cheaper"),
        (True, "unknown", {1}, "", "cheaper"),
        (False, "exit 30", {}, "5", "max_requests"),
        (True, "unknown", {}, "5", "max_requests"),
        (True, "unknown", {}, "7", "recycled"),
        (True, "exit 30", {}, "many", "recycled"),
        (False, "unknown", {1}, "5", "unknown"),
        (False, "exit 1", {1}, "5", "exit 1"),
    ],
)
def test_what_uwsgi_ends_in_order_is_told_from_what_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_left: bool, status: str, cheap: set[int], most: str, why: str
) -> None:
    monkeypatch.setattr(worker_ends.ExitStatuses, "look", lambda *_: status)
    monkeypatch.setenv("UWSGI_MAX_REQUESTS", most)
    watch = Workers(tmp_path)
    watch.read(living(a_worker(7)), UWSGI)
    gone = replace(UWSGI, pids={}, cheap=frozenset(cheap))
    assert watch.read(dead(a_worker(7, has_left=has_left)), gone).ends == {why: 1}


@pytest.mark.parametrize(
    ("has_left", "status", "why"),
    [
        (True, "exit 0", "recycled"),
        (True, "unknown", "recycled"),
        (False, "exit 0", "exit 0"),
        (True, "exit 1", "exit 1"),
    ],
)
def test_what_any_other_server_ends_in_order_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_left: bool, status: str, why: str
) -> None:
    monkeypatch.setattr(worker_ends.ExitStatuses, "look", lambda *_: status)
    assert Workers(tmp_path).read(dead(a_worker(7, has_left=has_left)), None).ends == {why: 1}


def test_where_gunicorn_tells_nobody_else_is_asked(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "gunicorn-notes").write_text("7 max_requests\n7 ended exit 0\n")
    assert Workers(tmp_path).read(dead(a_worker(7)), None).ends == {"max_requests": 1}


def test_gunicorn_says_what_it_goes_by_and_a_reload_may_change_it(tmp_path: Path) -> None:
    notes = tmp_path / "gunicorn-notes"
    notes.write_text("set timeout 30\nset slots 4\n7 max_requests\n7 ended exit 0\n")
    watch = Workers(tmp_path)
    assert watch.read(NOTHING, None).settings == {"timeout": 30.0, "slots": 4.0}
    with notes.open("a") as file:
        file.write("8 reload\nset timeout 5\n")
    assert watch.read(NOTHING, None).settings == {"timeout": 5.0, "slots": 4.0}
    assert watch.read(NOTHING, None).ends == {"max_requests": 1}, "settings are no ends"


def test_uwsgi_says_its_slots_and_its_variable_the_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UWSGI_HARAKIRI", "20")
    assert Workers(tmp_path).read(NOTHING, None).settings == {}, "some other server"
    assert Workers(tmp_path).read(NOTHING, UWSGI).settings == {"timeout": 20.0}
    assert Workers(tmp_path).read(NOTHING, replace(UWSGI, slots=8)).settings == {"slots": 8.0, "timeout": 20.0}


def test_what_a_start_has_cost_is_told_as_long_as_the_start(tmp_path: Path, clock: Clock) -> None:
    here, gone = a_worker(os.getpid(), time.time()), replace(a_worker(999_999), start_cpu_s=0.3)
    watch = Workers(tmp_path)
    told = watch.read(replace(living(replace(here, start_cpu_s=0.2)), dead=(gone,)), None)
    assert told.start_cpu_s == {os.getpid(): 0.2, 999_999: 0.3}
    clock.now += 11.0
    assert watch.read(living(here), None).start_cpu_s == {}
