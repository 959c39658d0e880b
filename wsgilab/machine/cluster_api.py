"""The API of the Kubernetes cluster that this process is a pod of, as far as a runner needs it.

`machine.http` gives whole answers of the lab's own: here an answer may have no end (a watch), may be as large as a log,
and comes from somebody who has a certificate of its own and wants a token.
"""

from __future__ import annotations

import http.client
import json
import logging
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from wsgilab.errors import LabError, MissingError, to_paste

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds who it is (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/)."""
INSIDE = "https://kubernetes.default.svc"
TIMEOUT_S = 10.0
WATCH_S = 30
"""How long the server holds a watch; it is asked again then."""
GONE, CONFLICT, NOT_FOUND, FORBIDDEN = 410, 409, 404, 403
TESTRUNS = "/apis/k6.io/v1alpha1/namespaces/{namespace}/testruns"
PODS = "/api/v1/namespaces/{namespace}/pods"
Json = dict[str, Any]
log = logging.getLogger(__name__)


class Refused(Exception):
    """The API answered, and did not do what was asked."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status
        self.message = message


class Unreachable(Exception):
    """The API did not answer, or not to the end. Its text says why."""


@dataclass(frozen=True)
class Lines:
    """An answer that comes line by line."""

    response: http.client.HTTPResponse
    line: socket.socket

    def __iter__(self) -> Iterator[bytes]:
        """Each line, as it comes. Raises Unreachable where the answer breaks off."""
        with told_as_unreachable():
            yield from self.response

    def hang_up(self) -> None:
        """End it: a thread that reads it notices at once."""
        with suppress(OSError):
            self.line.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Cluster:
    """The API, and the namespace in it that this pod is in."""

    url: str
    namespace: str
    account: Path | None = None
    """The folder with the token and the certificate; None for an API that wants neither."""

    def path(self, kind: str, name: str = "", more: str = "") -> str:
        """The address of the objects of a kind, or of one of them."""
        return kind.format(namespace=self.namespace) + (f"/{name}" if name else "") + more

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """An object, or a list of them. Raises Refused, Unreachable."""
        return self._ask("GET", path, query)

    def create(self, path: str, content: Json) -> Json:
        """A new object. Raises Refused, Unreachable."""
        return self._ask("POST", path, None, content)

    def delete(self, path: str) -> None:
        """Have an object removed with all that belongs to it; one that is gone already is fine. Raises as `get`."""
        try:
            self._ask("DELETE", path, {"propagationPolicy": "Background"})
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise

    @contextmanager
    def lines(self, path: str, query: Mapping[str, str], patience_s: float = TIMEOUT_S) -> Iterator[Lines]:
        """The lines of an answer as they come, for as long as it goes on.

        `patience_s`: how long the server may say nothing. Raises Refused, Unreachable.
        """
        target = f"{path}?{urlencode(query)}"
        with self._answer("GET", target, None, patience_s) as lines:
            yield lines

    def _ask(self, method: str, path: str, query: Mapping[str, str] | None, content: Json | None = None) -> Json:
        target = f"{path}?{urlencode(query)}" if query else path
        with self._answer(method, target, content, TIMEOUT_S) as lines, told_as_unreachable():
            found: Json = json.loads(b"".join(lines))
            return found

    @contextmanager
    def _answer(self, method: str, target: str, content: Json | None, patience_s: float) -> Iterator[Lines]:
        with told_as_unreachable():
            connection = self._connection(patience_s)
        with closing(connection):
            with told_as_unreachable():
                connection.request(method, target, json.dumps(content) if content else None, self._headers())
                line = connection.sock
                response = connection.getresponse()
                log.debug("%s %s: %d", method, target, response.status)
                if response.status >= http.client.BAD_REQUEST:
                    raise Refused(response.status, _message_in(response.read()))
            with closing(response):
                yield Lines(response, line)

    def _connection(self, patience_s: float) -> http.client.HTTPConnection:
        at = urlsplit(self.url)
        if at.scheme == "http":
            return http.client.HTTPConnection(at.hostname or "", at.port, timeout=patience_s)
        trusted = ssl.create_default_context(cafile=str(self.account / "ca.crt") if self.account else None)
        return http.client.HTTPSConnection(at.hostname or "", at.port, timeout=patience_s, context=trusted)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.account:  # read each time: a token is replaced before it gets too old
            token = (self.account / "token").read_text(encoding="ascii").strip()
            headers["Authorization"] = f"Bearer {token}"
        return headers


def of_this_pod(account: Path = ACCOUNT, url: str = INSIDE) -> Cluster:
    """The cluster that this process runs in. Raises MissingError where it runs in none, or as nobody."""
    try:
        namespace = (account / "namespace").read_text(encoding="ascii").strip()
    except OSError as error:
        what = f"This process is nobody in a cluster: {error.filename} cannot be read."
        cause = "it is not a pod, or the pod has no token of its account"
        raise MissingError(what, cause, "./lab kubernetes --help") from error
    return Cluster(url, namespace, account)


def explained(cluster: Cluster, error: Refused | Unreachable, doing: str) -> LabError:
    """Why something could not be done (`doing`: in the infinitive), with the likely cause and the next command."""
    who = f"system:serviceaccount:{cluster.namespace}:runner"
    rights = kubectl(cluster.namespace, "auth", "can-i", "--list", "--as", who)
    what = f"The cluster did not let the runner {doing}: {error}"
    if isinstance(error, Unreachable):
        cause = "its API is down, or a NetworkPolicy is in the way"
        return MissingError(what, cause, kubectl(cluster.namespace, "get", "networkpolicies"))
    if error.status == FORBIDDEN:
        return MissingError(what, "the Role of the runner is not what ./lab kubernetes render writes", rights)
    if error.status == NOT_FOUND:
        cause = "the k6-operator is not installed: nobody there knows what a TestRun is"
        return MissingError(what, cause, "kubectl get customresourcedefinition testruns.k6.io")
    return LabError(
        what, "an object of that name, or a TestRun that this version of the operator does not take", rights
    )


def kubectl(namespace: object, *words: str) -> str:
    """What to type about a namespace, wherever that is done; where none is known, that of the reader is meant."""
    return to_paste("kubectl", *(["--namespace", namespace] if namespace else []), *words)


@contextmanager
def told_as_unreachable() -> Iterator[None]:
    """Have whatever a connection can die of be Unreachable."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


def _message_in(body: bytes) -> str:
    """What a Status object says; the beginning of anything else."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body)["message"])
    return body.decode(errors="replace")[:200]
