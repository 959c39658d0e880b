"""A Kubernetes API that behaves as the real one does where a runner meets it, over real HTTP, with a k6-operator in it.

It keeps TestRuns and pods in memory, each change with a version of its own; answers lists, watches and logs; refuses
what is not allowed, is there already or is too long ago. What its operator makes of a TestRun is the test's business.
"""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wsgilab.machine.cluster_api import Cluster

Json = dict[str, Any]
NAMESPACE = "wsgilab"
TESTRUNS, PODS = f"/apis/k6.io/v1alpha1/namespaces/{NAMESPACE}/testruns", f"/api/v1/namespaces/{NAMESPACE}/pods"


class FakeCluster:
    """Serves while its block lasts."""

    def __init__(self, operator: Callable[[FakeCluster, Json], None] = lambda _cluster, _testrun: None) -> None:
        """`operator` is told of each new TestRun, in a thread of its own."""
        self.operator = operator
        self.testruns: dict[str, Json] = {}
        self.pods: dict[str, Json] = {}
        self.logs: dict[str, str] = {}
        self.asked: list[str] = []
        """Method and address of every request."""
        self.refuse: dict[str, tuple[int, str]] = {}
        """Method and beginning of an address → the status, and the message."""
        self.drop: list[str] = []
        """Requests that are carried out and not answered, each once, as `refuse` names them."""
        self.oldest = 0
        """A watch from before this version is refused: Gone."""
        self.version = 100
        self.watches_cut = 0
        self._events: list[tuple[int, Json]] = []
        self._changed = threading.Condition()
        self._door = _Door(("127.0.0.1", 0), _Api)
        self._door.cluster = self
        self._threads = [threading.Thread(target=self._door.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)]

    def __enter__(self) -> FakeCluster:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._door.over.set()
        with self._changed:
            self._changed.notify_all()
        self._door.shutdown()
        self._door.server_close()
        for thread in self._threads:
            thread.join()

    @property
    def client(self) -> Cluster:
        """What a runner in it has."""
        return Cluster(f"http://127.0.0.1:{self._door.server_address[1]}", NAMESPACE)

    def pod(self, name: str, testrun: str, number: int, **status: Any) -> None:
        """A pod of a runner is there, or changes."""
        labels = {"app": "k6", "k6_cr": testrun, "runner": "true", "job-name": f"{testrun}-{number}"}
        with self._changed:
            kind = "MODIFIED" if name in self.pods else "ADDED"
            self.pods[name] = {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": status}
            self._happened(kind, self.pods[name])

    def ended(self, name: str, testrun: str, number: int, log: str, exit_code: int = 0, reason: str = "") -> None:
        """The k6 of a pod has ended."""
        self.logs[name] = log
        said = reason or ("Completed" if exit_code == 0 else "Error")
        state = {"terminated": {"exitCode": exit_code, "reason": said}}
        phase = "Succeeded" if exit_code == 0 else "Failed"
        self.pod(name, testrun, number, phase=phase, containerStatuses=[{"name": "k6", "state": state}])

    def remove_pod(self, name: str) -> None:
        """A pod is evicted, preempted, or removed by somebody."""
        with self._changed:
            self._happened("DELETED", self.pods.pop(name))

    def stage(self, testrun: str, stage: str) -> None:
        """The operator says how far a TestRun is."""
        self.testruns[testrun]["status"] = {"stage": stage}

    def cut_watches(self) -> None:
        """Every watch that is open breaks off, in the middle of a line."""
        with self._changed:
            self.watches_cut += 1
            self._changed.notify_all()

    def forget(self) -> None:
        """What was until now is too long ago for a watch."""
        with self._changed:
            self.oldest = self.version
            self._changed.notify_all()

    def listed(self, selector: str) -> Json:
        """The pods, and the version at which they were so."""
        with self._changed:
            items = [json.loads(json.dumps(pod)) for pod in self.pods.values() if _matches(selector, pod)]
            return {"metadata": {"resourceVersion": str(self.version)}, "items": items}

    def _happened(self, kind: str, pod: Json) -> None:
        self.version += 1
        pod["metadata"]["resourceVersion"] = str(self.version)
        self._events.append((self.version, {"type": kind, "object": json.loads(json.dumps(pod))}))
        self._changed.notify_all()

    def create(self, content: Json) -> tuple[int, Json]:
        name = content["metadata"]["name"]
        if name in self.testruns:
            return 409, _status(409, f'testruns.k6.io "{name}" already exists')
        self.testruns[name] = content
        thread = threading.Thread(target=self.operator, args=(self, content), daemon=True)
        self._threads.append(thread)
        thread.start()
        return 201, content

    def events_after(self, version: int, cut: int) -> list[tuple[int, Json]] | None:
        """What has happened since, when there is something; None when the watch is to break off."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._door.over.is_set()
                    or cut < self.watches_cut
                    or self.version > version
                    or version < self.oldest
                ),
                timeout=5,
            )
            if self._door.over.is_set() or cut < self.watches_cut:
                return None
            if version < self.oldest:
                return [(version, {"type": "ERROR", "object": _status(410, "too old resource version")})]
            return [event for event in self._events if event[0] > version]


class _Door(socketserver.ThreadingTCPServer):
    daemon_threads = True
    cluster: FakeCluster

    def __init__(self, *arguments: Any) -> None:
        self.over = threading.Event()
        super().__init__(*arguments)

    def handle_error(self, request: object, client_address: object) -> None:
        """Somebody hung up."""


class _Api(http.server.BaseHTTPRequestHandler):
    server: _Door
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        at = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(at.query).items()}
        cluster = self.server.cluster
        if self._refused():
            return
        if at.path == PODS and query.get("watch"):
            self._watch(int(query["resourceVersion"]))
        elif at.path == PODS:
            self._answer(200, cluster.listed(query["labelSelector"]))
        elif at.path.startswith(PODS) and at.path.endswith("/log"):
            name = at.path.split("/")[-2]
            if name not in cluster.pods:
                self._answer(404, _status(404, f'pods "{name}" not found'))
            else:
                self._plain(cluster.logs.get(name, ""))
        elif at.path == TESTRUNS:
            items = [run for run in cluster.testruns.values() if _matches(query["labelSelector"], run)]
            self._answer(200, {"metadata": {}, "items": items})
        else:
            found = cluster.testruns.get(at.path.rpartition("/")[2])
            self._answer(200, found) if found else self._answer(404, _status(404, "not found"))

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._refused():
            self._answer(*self.server.cluster.create(content))

    def do_DELETE(self) -> None:
        if self._refused():
            return
        name = urlsplit(self.path).path.rpartition("/")[2]
        found = self.server.cluster.testruns.pop(name, None)
        self._answer(200, {"status": "Success"}) if found else self._answer(404, _status(404, "not found"))

    def _refused(self) -> bool:
        asked, cluster = f"{self.command} {self.path}", self.server.cluster
        cluster.asked.append(asked)
        for beginning, (status, message) in cluster.refuse.items():
            if asked.startswith(beginning):
                self._answer(status, _status(status, message))
                return True
        return False

    def _watch(self, version: int) -> None:
        cluster = self.server.cluster
        if version < cluster.oldest:
            self._answer(410, _status(410, "too old resource version"))
            return
        cut = cluster.watches_cut
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while (events := cluster.events_after(version, cut)) is not None:
            for number, event in events:
                version = number
                self._chunk(json.dumps(event).encode() + b"\n")
                if event["type"] == "ERROR":
                    return
        self._chunk(b'{"type": "MODIF')
        self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _answer(self, status: int, content: Json) -> None:
        body = json.dumps(content).encode()
        asked, cluster = f"{self.command} {self.path}", self.server.cluster
        for beginning in [one for one in cluster.drop if asked.startswith(one)]:
            cluster.drop.remove(beginning)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _plain(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _status(code: int, message: str) -> Json:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "metadata": {}}


def _matches(selector: str, item: Json) -> bool:
    labels = item["metadata"].get("labels", {})
    return all(labels.get(name) == value for name, value in (pair.split("=") for pair in selector.split(",")))
