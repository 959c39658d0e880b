"""Asks Prometheus, several questions at a time, and keeps count of how long that took."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

TIMEOUT_S = 5.0
AT_ONCE = 4
REMEMBERED = 1000


class Unanswered(Exception):
    """Prometheus gave no answer, or one that says what is wrong with the question."""


@dataclass(frozen=True)
class Query:
    """One question: an expression over a span of time, or (`step_s` None) at its end. Times in epoch seconds."""

    expression: str
    start: float
    end: float
    step_s: float | None


class Prometheus:
    """The HTTP API of one Prometheus, read only."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._at = urllib.parse.urlsplit(self.url)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="prometheus")
        self._own = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._took_ms: deque[float] = deque(maxlen=REMEMBERED)

    def __enter__(self) -> Prometheus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def ask(self, queries: Sequence[Query]) -> dict[Query, list[dict[str, Any]]]:
        """The `result` of each query, as Prometheus's HTTP API gives it. Raises Unanswered."""
        different = list(dict.fromkeys(queries))
        return dict(zip(different, self._threads.map(self._ask_one, different), strict=True))

    def label_values(self, label: str, series: str, start: float, end: float) -> list[str]:
        """The values that `label` had on a series in that time. Raises Unanswered."""
        parameters = {"match[]": series, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        path = f"/api/v1/label/{urllib.parse.quote(label)}/values"
        return sorted(self._threads.submit(self._get, path, parameters).result())

    def p99_ms(self) -> float | None:
        """Of the queries so far (the last thousand), the 99th percentile of the time they took."""
        took = sorted(self._took_ms)
        return took[math.ceil(0.99 * len(took)) - 1] if took else None

    def summary(self) -> str:
        """How the queries fared, in a sentence."""
        p99_ms = self.p99_ms()
        return f"p99 of the queries: {p99_ms:.0f} ms." if p99_ms is not None else "Nothing was asked."

    def _ask_one(self, query: Query) -> list[dict[str, Any]]:
        if query.step_s is None:
            return list(self._get("/api/v1/query", {"query": query.expression, "time": f"{query.end:.3f}"})["result"])
        span = {"start": f"{query.start:.3f}", "end": f"{query.end:.3f}", "step": f"{query.step_s:g}"}
        return list(self._get("/api/v1/query_range", {"query": query.expression, **span})["result"])

    def _get(self, path: str, parameters: Mapping[str, str]) -> Any:
        started = time.perf_counter()
        try:
            answer = self._exchange(f"{self._at.path}{path}?{urllib.parse.urlencode(parameters)}")
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"no answer from {self.url}: {error}") from error
        self._took_ms.append((time.perf_counter() - started) * 1000)
        try:
            document = json.loads(answer)
            if document["status"] != "success":
                raise Unanswered(f"{self.url} says: {document.get('error', document['status'])}")
            return document["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unanswered(f"{self.url} is no Prometheus, or not ready yet") from error

    def _exchange(self, target: str) -> bytes:
        """One request on this thread's connection; on a new one where Prometheus has closed the old."""
        kept: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if kept:
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._send(kept, target)
        return self._send(self._connect(), target)

    def _send(self, connection: http.client.HTTPConnection, target: str) -> bytes:
        try:
            connection.request("GET", target)
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self._connections.remove(connection)
            self._own.connection = None
            raise

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._at.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._at.hostname or "", self._at.port, timeout=TIMEOUT_S)
        self._own.connection = connection
        self._connections.append(connection)
        return connection


def number(text: str) -> float | None:
    """A sample's value; None for NaN and infinities, which no chart can draw."""
    value = float(text)
    return value if math.isfinite(value) else None
