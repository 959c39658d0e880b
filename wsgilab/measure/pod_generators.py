"""k6 in pods: a load generator whose hands are the runners of a TestRun of the k6-operator, one for each window.

The operator makes the pods, gives each its segment of the schedule, and starts them one after the other; the start line
makes that one moment. Its word that a TestRun is "finished" is no word that it went well, so the pods are looked at.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wsgilab.analysis.generator_limit import generator_limit
from wsgilab.engines import Endpoint
from wsgilab.errors import LabError, UsageError
from wsgilab.machine.cluster_api import CONFLICT, TESTRUNS, Cluster, Json, Refused, Unreachable, explained, of_this_pod
from wsgilab.machine.tools import find_k6
from wsgilab.measure.k6 import version_of_k6
from wsgilab.measure.k6_command import NUMBER, Traffic, arguments_in_pods
from wsgilab.measure.load import planned_s
from wsgilab.measure.pod_load import PodLoad, Together, why_not_there
from wsgilab.measure.pod_watch import PodWatch
from wsgilab.measure.shared_load import SharedLoad, terms
from wsgilab.measure.start_line import StartLine
from wsgilab.model.window import LoadResult, WindowPlan

START_PORT = 6566
"""Where pods wait for each other: a NetworkPolicy names it."""
OURS = "app.kubernetes.io/part-of=wsgilab"
WINDOW = "wsgilab/window"
"""The annotation that says for which window of which runner a TestRun was made."""
LATE_S = 45.0
"""How long a pod may go on beyond its schedule, and the cluster may take to say that it has ended."""
PATIENCE_S = 180.0
"""How long pods may take to be there: scheduled, with their image, started by the operator's own pod."""


@dataclass(frozen=True)
class PodGenerators:
    """A LoadGenerator: so many pods for each window."""

    cluster: Cluster
    template: Json
    """The TestRun without name and arguments."""
    traffic: Traffic
    cpus_each: int
    version: str
    """Of the k6 in this image, which is that of the pods."""
    kept_in: Path | None = None
    start_port: int = START_PORT
    run: str = field(default_factory=lambda: secrets.token_hex(3))
    """What tells its TestRuns from those of others."""

    @property
    def name(self) -> str:
        """As people know it."""
        return "k6"

    @property
    def count(self) -> int:
        """How many pods."""
        return int(self.template["spec"]["parallelism"])

    @property
    def cpus(self) -> int:
        """Those of all pods."""
        return self.count * self.cpus_each

    @property
    def origin(self) -> str:
        """The image of the pods."""
        return f"{self.template['spec']['runner']['image']}, {self.count} pods of the k6-operator"

    @property
    def alone(self) -> PodGenerators:
        """The same without traffic of its own, keeping nothing."""
        return replace(self, traffic=replace(self.traffic, described=None, script=None), kept_in=None)

    def start(self, plan: WindowPlan, at: Endpoint) -> SharedLoad:
        """Have the pods made for a window, and return at once. Raises LabError where the cluster refuses."""
        name = f"lab-{self.run}-{secrets.token_hex(2)}"
        with ExitStack() as entered:
            line = entered.enter_context(StartLine(self.count, (_own_address(), self.start_port)))
            words = arguments_in_pods(self.traffic, plan, at, self.count, line.url(NUMBER))
            entered.enter_context(self._testrun(name, plan, words))
            watch = entered.enter_context(PodWatch(self.cluster, name))
            together = Together(self.cluster, watch, name, self.count, lambda: line.told_at, planned_s(plan) + LATE_S)
            hands = [entered.enter_context(PodLoad(together, number)) for number in range(1, self.count + 1)]
            cpus = {hand.host: self.cpus_each for hand in hands}
            these = replace(terms(plan, self.traffic, self.kept_in, cpus), patience_s=PATIENCE_S)
            load = PodsLoad(hands, line, these, entered.pop_all())
            load.why_not_there = lambda: why_not_there(
                map(watch.pod, line.missing), self.stage(name), self.cluster.namespace
            )
            return load

    def limit(self, result: LoadResult) -> str | None:
        """By the signs of each of them, and by how evenly and how closely together they sent."""
        return generator_limit(result, self.cpus)

    def clear(self) -> list[str]:
        """Remove what runners that were killed have left, and give its names. Raises LabError."""
        try:
            found = self.cluster.get(self.cluster.path(TESTRUNS), {"labelSelector": OURS})["items"]
            names = [str(item["metadata"]["name"]) for item in found]
            for name in names:
                self.cluster.delete(self.cluster.path(TESTRUNS, name))
        except (Refused, Unreachable) as error:
            raise explained(self.cluster, error, "look for TestRuns") from error
        return names

    def stage(self, name: str) -> str:
        """How far the operator says that a TestRun is; empty where nobody says so."""
        try:
            found = self.cluster.get(self.cluster.path(TESTRUNS, name))
        except (Refused, Unreachable):
            return ""
        return str(found.get("status", {}).get("stage", ""))

    @contextmanager
    def _testrun(self, name: str, plan: WindowPlan, words: list[str]) -> Iterator[None]:
        """A TestRun, which is there while the block lasts. Raises LabError."""
        whose = f"{self.run}/{plan.order}/{plan.server}"
        content = filled_in(self.template, name, words, {WINDOW: whose})
        try:
            self._create(name, content, whose)
        except (Refused, Unreachable) as error:
            raise explained(self.cluster, error, "make a TestRun") from error
        try:
            yield
        finally:
            with suppress(Refused, Unreachable):  # the next run clears it away
                self.cluster.delete(self.cluster.path(TESTRUNS, name))

    def _create(self, name: str, content: Json, whose: str) -> None:
        """Once more where no answer came: if it was made all the same, the second time says so. Raises as the API."""
        path = self.cluster.path(TESTRUNS)
        try:
            self.cluster.create(path, content)
        except Unreachable:
            try:
                self.cluster.create(path, content)
            except Refused as refused:
                if refused.status != CONFLICT or self._owner(name) != whose:
                    raise

    def _owner(self, name: str) -> str:
        found = self.cluster.get(self.cluster.path(TESTRUNS, name))
        return str(found["metadata"].get("annotations", {}).get(WINDOW, ""))


def in_pods(testrun: str, traffic: Traffic, cpus_each: int, kept_in: Path | None) -> PodGenerators:
    """The generators of a run in the cluster that this process is a pod of; what killed ones have left is removed.

    `testrun`: as Request.testrun. Raises UsageError, MissingError, LabError.
    """
    try:
        template = json.loads(testrun)
        parallelism = int(template["spec"]["parallelism"])
    except (ValueError, KeyError, TypeError) as error:
        cause = "it was edited, or written by another version"
        raise UsageError(f"The TestRun cannot be used: {error!r}.", cause, "./lab kubernetes --help") from error
    if parallelism < 1:
        raise UsageError("The TestRun has no pods: its parallelism is below 1.", "an edit", "./lab kubernetes --help")
    generators = PodGenerators(of_this_pod(), template, traffic, cpus_each, version_of_k6(str(find_k6())), kept_in)
    generators.clear()
    return generators


class PodsLoad(SharedLoad):
    """The load of a window by pods. Where they do not come to the start, the cluster says why."""

    why_not_there: Callable[[], LabError] | None = None

    def result(self) -> LoadResult:
        """As SharedLoad. Raises LabError with what the cluster says, where not all came to the start."""
        try:
            return super().result()
        except LabError:
            if self.started or self.why_not_there is None or any(hand.failed for hand in self.hands):
                raise
            raise self.why_not_there() from None


def filled_in(template: Json, name: str, words: list[str], annotations: Mapping[str, str]) -> Json:
    """The TestRun of one window."""
    metadata: dict[str, Any] = {**template["metadata"], "name": name, "annotations": dict(annotations)}
    return {**template, "metadata": metadata, "spec": {**template["spec"], "args": words}}


def _own_address() -> str:
    """Where other pods reach this one: a pod's name leads to its address."""
    return socket.gethostbyname(socket.gethostname())
