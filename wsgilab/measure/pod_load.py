"""The load of a window as one k6 in a pod of its own drives it: what LoadRun is for one on this machine."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, Any

from wsgilab.errors import LabError
from wsgilab.machine.cluster_api import PODS, Cluster, Refused, Unreachable, explained, kubectl
from wsgilab.measure.k6_command import message_in
from wsgilab.measure.pod_watch import PodSeen, PodWatch
from wsgilab.measure.summary import HandedOver, handed_over, no_result

POLL_S = 0.05
LOG_S = 60.0
"""How long the log of a pod may be silent while it is fetched."""
USED = re.compile(r"wsgilab-used (\{.*\})")
"""The last line of commands/k6_in_pod.py."""
SUMMARY = '{"period_s"'
"""How k6/load.js begins what it hands over."""
LAST_LINES = 3


@dataclass(frozen=True)
class Told:
    """What a pod's log says, besides its requests."""

    summary: dict[str, Any] | None
    cpu_s: float
    wait_s: float
    wall_s: float


@dataclass(frozen=True)
class Together:
    """What the pods of a window have in common."""

    cluster: Cluster
    watch: PodWatch
    testrun: str
    count: int
    told_at: Callable[[], float]
    """When all were told to start, in epoch seconds; 0.0 while they have not been."""
    takes_s: float
    """How long they may go on after that."""


class PodLoad:
    """One of several k6, in a pod. The TestRun ends it, for all of them."""

    def __init__(self, together: Together, number: int) -> None:
        self._together = together
        self._cluster = together.cluster
        self._watch = together.watch
        self._number = number
        self.host = f"{together.testrun}-{number}"
        """A pod has CPUs of its own, so it is what a machine is elsewhere."""
        self.name = f"generator {number} of {together.count} in pod {self.host}"
        self._deadline_s: float | None = None
        self._late = False
        self.cpu_s = self.wait_s = 0.0
        """Known when it has ended."""
        self.ended_at_s = time.monotonic()
        self._log: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", prefix="wsgilab-")  # noqa: SIM115 - until the end
        self._over = False
        self._stopped = False

    @property
    def failed(self) -> bool:
        """Whether nothing will come of it, by what the cluster says of its pod, or has not said in time."""
        pod = self._watch.pod(self._number)
        return self._late or (pod is not None and pod.failed)

    def poll(self) -> bool:
        """Tell whether its k6 has ended."""
        pod = self._watch.pod(self._number)
        if not self._over and pod and (pod.exit_code is not None or pod.failed):
            self._over, self.ended_at_s = True, time.monotonic()
        if self._deadline_s is None and self._together.told_at():
            self._deadline_s = time.monotonic() + self._together.takes_s
        self._late = not self._over and self._deadline_s is not None and time.monotonic() > self._deadline_s
        return self._over or self._stopped or self._late

    def ask_to_end(self) -> None:
        """It ends with the TestRun, which is removed when the block of the load is left."""
        self._stopped = self._stopped or not self._over

    def stop(self) -> None:
        """As `ask_to_end`."""
        self.ask_to_end()

    def hand_over(self) -> HandedOver:
        """What it measured. Raises LabError where it handed nothing over."""
        while not self.poll():
            time.sleep(POLL_S)
        pod = self._watch.pod(self._number)
        if pod is None:
            raise no_result("its pod was never there", "", self.name)
        self._fetch(pod)
        if pod.failed:
            log = self._last_lines()
            raise no_result(pod.ended or message_in(log) or f"it ended with status {pod.exit_code}", log, self.name)
        if self._late:
            raise no_result(self._why_late(), self._last_lines(), self.name)
        if self._stopped:
            raise no_result("it was stopped before its window ended", self._last_lines(), self.name)
        told = told_in(self._lines())
        if told.summary is None:
            raise no_result("its summary is not in its log, of which a node keeps 10 MB", self._last_lines(), self.name)
        self.cpu_s, self.wait_s = told.cpu_s, told.wait_s
        seen = handed_over(told.summary, told.wall_s, told.cpu_s)
        # By the clock of this machine: that of its node may be off, and the moment at which all were told is the same.
        told_at_ms = float(told.summary.get("told_at_ms") or 0.0)
        ahead_s = told_at_ms / 1000 - self._together.told_at() if told_at_ms else 0.0
        started_at = seen.result.started_at - ahead_s if seen.result.started_at else 0.0
        schedule_at = seen.schedule_at - ahead_s if seen.schedule_at else 0.0
        result = replace(seen.result, k6_wait_s=told.wait_s, started_at=started_at)
        return replace(seen, schedule_at=schedule_at, result=result)

    @contextmanager
    def console(self) -> Iterator[Iterable[str]]:
        """The lines that its script wrote, one after the other."""
        yield self._lines()

    def __enter__(self) -> PodLoad:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()

    def _why_late(self) -> str:
        if trouble := self._watch.trouble:
            return f"the cluster does not say whether it has ended ({trouble})"
        return f"{self._together.takes_s:.0f} s after the start it still ran"

    def _fetch(self, pod: PodSeen) -> None:
        """Have its log here. Raises LabError where the cluster does not give it."""
        self._log.seek(0)
        self._log.truncate()
        path = self._cluster.path(PODS, pod.name, "/log")
        try:
            with self._cluster.lines(path, {"container": "k6"}, LOG_S) as lines:
                self._log.writelines(line.decode(errors="replace") for line in lines)
        except (Refused, Unreachable) as error:
            if pod.failed or self._late:
                return  # that says enough
            raise explained(self._cluster, error, f"read the log of {pod.name}") from error

    def _lines(self) -> Iterable[str]:
        self._log.seek(0)
        return self._log

    def _last_lines(self) -> str:
        lines = [line.rstrip("\n") for line in self._lines() if not line.startswith(SUMMARY) and "msg=R/" not in line]
        return "\n    ".join(lines[-LAST_LINES:])


def told_in(log: Iterable[str]) -> Told:
    """What the lines of a log say of the whole window. A line that is no record is left out."""
    summary: dict[str, Any] | None = None
    used: dict[str, float] = {}
    for line in log:
        try:
            if line.startswith(SUMMARY):  # without an end of line, so something may follow
                summary, _ = json.JSONDecoder().raw_decode(line)
            if found := USED.search(line):
                used = {name: float(value) for name, value in json.loads(found[1]).items()}
        except ValueError:
            continue
    return Told(summary, used.get("cpu_s", 0.0), used.get("wait_s", 0.0), used.get("wall_s", 0.0))


def why_not_there(pods: Iterable[PodSeen | None], stage: str, namespace: str) -> LabError:
    """Why pods have not come to the start, by what the cluster says of them. `stage`: of the TestRun."""
    for pod in pods:
        if pod and pod.waits:
            what = f"generator {pod.number} in pod {pod.name} did not come to the start in time: {pod.waits}"
            cause = "too few nodes with so many free CPUs, or an image that cannot be had there"
            return LabError(what, cause, kubectl(namespace, "describe", "pod", pod.name))
    if stage == "error":
        what = "The k6-operator gave up on the TestRun."
    elif not stage:
        what = "Nobody took up the TestRun: it has no stage."
    else:
        what = f"The TestRun came no further than '{stage}'."
    cause = "the k6-operator does not run, looks at other namespaces, or its log has the reason"
    return LabError(
        what, cause, "kubectl --namespace k6-operator-system logs deployment/k6-operator-controller-manager"
    )
