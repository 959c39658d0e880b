"""One k6 window: start k6, watch it without blocking, hand back what it saw."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from wsgilab.engines import Endpoint
from wsgilab.errors import MissingError
from wsgilab.machine import places, processes
from wsgilab.machine.environment import inherited
from wsgilab.machine.places import Place
from wsgilab.machine.processes import Process
from wsgilab.measure.k6_command import K6, TRAFFIC_JSON, WHOLE, Segment, command, environment, message_in
from wsgilab.measure.summary import HandedOver, handed_over, no_result, refusal
from wsgilab.model.window import LoadResult, WindowPlan

OVERTIME_S = 20.0
"""What k6 may need beyond its schedule: VUs to make, samples to flush, a summary to write."""
SETUP_S = 120.0
"""How long users may take to log in, as k6/load.js allows."""
STOP_S = 3.0
"""How long k6 has to end after SIGTERM."""
POLL_S = 0.02


def start(k6: K6, plan: WindowPlan, at: Endpoint, segment: Segment = WHOLE) -> LoadRun:
    """Start k6 on one window of the server at `at`, or on its segment of it, and return at once.

    The workload must be known (see workloads.find_workload). Raises MissingError when k6 cannot be started.
    """
    place = places.make()
    try:
        process = _spawn(k6, plan, at, place, segment)
    except BaseException:
        place.remove()
        raise
    return LoadRun(plan, process, place, SETUP_S if k6.traffic.described or k6.traffic.script else 0.0, segment.name)


class LoadRun:
    """A k6 that is running, or has ended. Use it as a context manager: leaving the block stops k6."""

    def __init__(
        self,
        plan: WindowPlan,
        process: Process,
        place: Place,
        setup_s: float = 0.0,
        name: str = WHOLE.name,
    ) -> None:
        self._plan = plan
        self._process = process
        self._place = place
        self._path = place.path
        self.name = name
        """What it is called where it is the matter."""
        self.host = ""
        """It runs on this machine."""
        self._started = time.monotonic()
        self._deadline = self._started + planned_s(plan) + OVERTIME_S + setup_s
        self._wall_s = 0.0
        self._cpu_s = 0.0
        self._wait_s = 0.0
        self._stopped: str | None = None

    @property
    def pid(self) -> int:
        """The process id of k6."""
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """CPU time that k6 has used, as of the last `poll`."""
        return self._cpu_s

    @property
    def wait_s(self) -> float:
        """How long its threads have waited for a CPU while ready to run, in sum, as of the last `poll`."""
        return self._wait_s

    @property
    def ended_at_s(self) -> float:
        """When it ended, by the monotonic clock; of one that runs, when it started."""
        return self._started + self._wall_s

    @property
    def failed(self) -> bool:
        """Whether it has ended, and not as it should, as of the last `poll`."""
        return bool(self._stopped or self._process.returncode)

    def poll(self) -> bool:
        """Tell whether k6 has ended. Kills it when it is far past its schedule."""
        if self._reap(os.WNOHANG):
            return True
        if time.monotonic() > self._deadline:
            self._stopped = f"it was stopped: {OVERTIME_S:.0f} s after its schedule it still ran"
            self.stop()
        return self._process.returncode is not None

    def ask_to_end(self) -> None:
        """Send SIGTERM if k6 still runs, and do not wait for what comes of it."""
        if not self._reap(os.WNOHANG):
            self._stopped = self._stopped or "it was stopped before its window ended"
            self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """End k6 if it still runs: SIGTERM, a bounded wait, SIGKILL. Calling it again does nothing."""
        self.ask_to_end()
        if self._process.returncode is None:
            patience = time.monotonic() + STOP_S
            while time.monotonic() < patience and not self._reap(os.WNOHANG):
                time.sleep(POLL_S)
            self._signal(signal.SIGKILL)
            self._reap(0)

    def result(self) -> LoadResult:
        """Wait for k6 to end and give what it measured.

        Raises LabError when k6 failed, was killed or stopped, or left no readable summary.
        """
        seen = self.hand_over().result
        with self.console() as lines:
            return replace(seen, **refusal(lines, seen.surprises))

    def hand_over(self) -> HandedOver:
        """As `result`, without a look at the console, and with what counts for a part of a schedule."""
        while not self.poll():
            time.sleep(POLL_S)
        problem = self._stopped or _how_it_failed(self._process.returncode)
        if problem:
            log = self._log_tail()
            # Of one that was stopped here, k6 knows only that it was.
            raise no_result(self._stopped or message_in(log) or problem, log, self.name)
        seen = handed_over(self._summary(), wall_s=self._wall_s, k6_cpu_s=self._cpu_s)
        return replace(seen, result=replace(seen.result, k6_wait_s=self._wait_s))

    @contextmanager
    def console(self) -> Iterator[Iterable[str]]:
        """The lines that the script wrote, one after the other."""
        try:
            file = (self._path / "console.log").open(encoding="utf-8", errors="replace")
        except FileNotFoundError:  # k6 makes it with its first line
            yield ()
            return
        with file:
            yield file

    def __enter__(self) -> LoadRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._place.remove()

    def _reap(self, flags: int) -> bool:
        """Collect k6 if it has ended. wait4 and not Popen.poll, because only it tells the CPU time to the end."""
        if self._process.returncode is not None:
            return True
        pid, status, used = os.wait4(self._process.pid, flags)
        if pid == 0:
            # They only grow, but a k6 that is just ending has lost its threads, and their figures with them.
            cpu_s, wait_s = scheduled_s(self._process.pid)
            self._cpu_s, self._wait_s = max(self._cpu_s, cpu_s), max(self._wait_s, wait_s)
            return False
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._wall_s = time.monotonic() - self._started
        self._cpu_s = used.ru_utime + used.ru_stime
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            # It may have ended this instant: it is not reaped, so its id cannot be another's yet.
            processes.signal_group(self._process, number)

    def _summary(self) -> dict[str, Any]:
        try:
            summary = json.loads((self._path / "summary.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise no_result(f"its summary cannot be read ({error})", self._log_tail(), self.name) from error
        if not isinstance(summary, dict):
            raise no_result("its summary is not an object", self._log_tail(), self.name)
        return summary

    def _log_tail(self, lines: int = 3) -> str:
        with (self._path / "k6.log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
            return "\n    ".join(log.read().decode(errors="replace").splitlines()[-lines:])


def planned_s(plan: WindowPlan) -> float:
    """How long the schedule of a window takes at most: never longer than 1 s and one tick beyond the plan, for k6
    refuses phases under a second."""
    return plan.warmup_s + plan.schedule_s + plan.grace_s + plan.timeout_s + 1 / plan.rate_rps


def scheduled_s(pid: int) -> tuple[float, float]:
    """How long a process's threads have run, and how long they waited for a CPU while ready to run, in sum.

    The first two fields of /proc/PID/task/*/schedstat, nanoseconds (Linux, Documentation/scheduler/sched-stats.rst).
    Zeros on other systems.
    """
    ran_ns = waited_ns = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # a thread may end while we look
            ran, waited = path.read_text().split()[:2]
            ran_ns, waited_ns = ran_ns + int(ran), waited_ns + int(waited)
    return ran_ns / 1e9, waited_ns / 1e9


def _spawn(k6: K6, plan: WindowPlan, at: Endpoint, place: Place, segment: Segment) -> Process:
    (place.path / "k6.json").write_text("{}", encoding="utf-8")
    if k6.traffic.described:
        (place.path / TRAFFIC_JSON).write_text(json.dumps(k6.traffic.described), encoding="utf-8")
    line = command(k6, plan, at, place.path, segment)
    variables = {**environment(inherited(), k6.prometheus_url), **place.environment}
    try:
        return processes.start(line, place.path / "k6.log", environment=variables, cpus=k6.cpus)
    except OSError as error:
        what = f"k6 could not be started: {error}"
        raise MissingError(what, f"there is no usable k6 at {k6.path}", "./lab doctor") from error


def _how_it_failed(status: int) -> str | None:
    if status == 0:
        return None
    if status < 0:
        return f"it was killed by {signal.Signals(-status).name}"
    return f"it ended with status {status}"
