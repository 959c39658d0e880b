"""The pods of one TestRun, as the cluster tells of them: listed once, then watched.

A watch is a long answer that anything may cut off, and that the server ends itself. It is asked again from where it
was; when that is too long ago for the server (410 Gone), the pods are listed anew.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from wsgilab.machine.cluster_api import GONE, PODS, WATCH_S, Cluster, Lines, Refused, Unreachable

AGAIN_S = 0.2
"""Between two tries where the API does not answer."""
CONTAINER = "k6"
"""What the operator calls it; others in the pod were put there by somebody else."""
JOB = "job-name"
"""The label by which a Job's pod says whose it is."""


@dataclass(frozen=True)
class PodSeen:
    """One pod, at its last change."""

    name: str
    number: int
    """Of its runner, from 1 on."""
    node: str = ""
    waits: str = ""
    """Why it does not run yet, by the scheduler or the kubelet; empty where they do not say."""
    exit_code: int | None = None
    """Of its k6; None while that has not ended."""
    ended: str = ""
    """How the cluster says that it ended, where it was not by itself: `OOMKilled`, `Evicted`, `removed`."""

    @property
    def failed(self) -> bool:
        """Whether nothing will come of it."""
        return bool(self.exit_code or self.ended)


class PodWatch:
    """Looks while its block lasts, in a thread of its own."""

    def __init__(self, cluster: Cluster, testrun: str) -> None:
        self._cluster = cluster
        self._testrun = testrun
        self._query = {"labelSelector": f"k6_cr={testrun},runner=true"}
        self._path = cluster.path(PODS)
        self._seen: dict[int, PodSeen] = {}
        self._trouble = ""
        self._lines: Lines | None = None
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="pods", daemon=True)

    def __enter__(self) -> PodWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._lines:
            self._lines.hang_up()
        self._thread.join()

    def pod(self, number: int) -> PodSeen | None:
        """The pod of a runner; None while there is none."""
        with self._changed:
            return self._seen.get(number)

    @property
    def trouble(self) -> str:
        """Why nothing is known of late; empty where the cluster answers."""
        with self._changed:
            return self._trouble

    def wait(self, timeout_s: float) -> None:
        """Wait for the next change, so long at most."""
        with self._changed:
            self._changed.wait(timeout_s)

    def _look(self) -> None:
        version = ""
        while not self._over.is_set():
            try:
                version = self._watched(version) if version else self._listed()
            except Refused as refused:
                version = ""
                self._say("" if refused.status == GONE else str(refused))
            except Unreachable as error:
                self._say(str(error))

    def _listed(self) -> str:
        """The version from which on there will be changes."""
        found = self._cluster.get(self._path, self._query)
        pods = [pod_seen(item) for item in found.get("items", ())]
        with self._changed:
            there = {pod.number: pod for pod in pods if pod}
            gone = {number: removed(pod) for number, pod in self._seen.items() if number not in there}
            self._seen = {**gone, **there}
            self._trouble = ""
            self._changed.notify_all()
        return str(found["metadata"]["resourceVersion"])

    def _watched(self, version: str) -> str:
        """The version of the last change, when the watch has ended. Raises Refused, Unreachable."""
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_S),
        }
        with self._cluster.lines(self._path, query, WATCH_S * 1.5) as self._lines:
            for line in () if self._over.is_set() else self._lines:
                if self._over.is_set():
                    break
                version = self._heard(_event(line)) or version
        return version

    def _heard(self, event: Mapping[str, Any]) -> str:
        """Its version. Raises Refused for an error, which comes as an event."""
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            raise Refused(int(item.get("code", 0)), str(item.get("message", "")))
        pod = pod_seen(item) if kind != "BOOKMARK" else None
        if pod:
            with self._changed:
                self._seen[pod.number] = removed(pod) if kind == "DELETED" else pod
                self._changed.notify_all()
        return str(item["metadata"]["resourceVersion"])

    def _say(self, trouble: str) -> None:
        with self._changed:
            self._trouble = trouble
            self._changed.notify_all()
        self._over.wait(AGAIN_S)


def pod_seen(item: Mapping[str, Any]) -> PodSeen | None:
    """A pod of the API; None for one that is no runner's."""
    metadata, status = item["metadata"], item.get("status", {})
    _, dash, number = str(metadata.get("labels", {}).get(JOB, "")).rpartition("-")
    if not dash or not number.isdecimal():
        return None
    container: Mapping[str, Any] = next(
        (one for one in status.get("containerStatuses", ()) if one.get("name") == CONTAINER), {}
    )
    ended = container.get("state", {}).get("terminated")
    failed = status.get("phase") == "Failed"
    return PodSeen(
        name=metadata["name"],
        number=int(number),
        node=item.get("spec", {}).get("nodeName", ""),
        waits=_why_it_waits(status, container),
        exit_code=int(ended["exitCode"]) if ended else None,
        # `Error` says no more than the exit code.
        ended=_reason(status.get("reason") or (ended or {}).get("reason") or "failed") if failed else "",
    )


def removed(pod: PodSeen) -> PodSeen:
    """The same when it is there no longer; which is its end, where it had not come to one."""
    return replace(pod, ended=pod.ended or ("removed" if pod.exit_code is None else ""))


def _reason(said: str) -> str:
    return "" if said in ("Error", "Completed") else said


def _why_it_waits(status: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    waiting = container.get("state", {}).get("waiting", {})
    if waiting:
        return ": ".join(filter(None, (waiting.get("reason", ""), waiting.get("message", ""))))
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    placed = conditions.get("PodScheduled", {})
    return str(placed.get("message", "")) if placed.get("status") == "False" else ""


def _event(line: bytes) -> Mapping[str, Any]:
    """Raises Unreachable for half a line: the connection broke in the middle of it."""
    try:
        found: Mapping[str, Any] = json.loads(line)
    except ValueError as error:
        raise Unreachable("the watch broke off within a line") from error
    return found
