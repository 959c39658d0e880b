"""Asks a running Grafana what a person would see in it: its health, its dashboards, and what their panels hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from wsgilab.machine import http
from wsgilab.view.dashboards import Span

DATA_SOURCE = "prometheus"
PATIENCE_S = 30.0
LONGEST_REASON = 200

T = TypeVar("T")


class NotAsItShould(Exception):
    """What Grafana answers instead of what was asked for, in words."""


class _Health(msgspec.Struct):
    database: str
    version: str = "an unknown version"


class _SourceHealth(msgspec.Struct):
    status: str
    message: str = ""


class _Meta(msgspec.Struct):
    provisioned: bool = False
    folderTitle: str = ""


class _Board(msgspec.Struct):
    uid: str = ""


class _Dashboard(msgspec.Struct):
    dashboard: _Board
    meta: _Meta


class _Columns(msgspec.Struct):
    values: tuple[tuple[Any, ...], ...] = ()


class _Field(msgspec.Struct):
    labels: Mapping[str, str] | None = None


class _Schema(msgspec.Struct):
    fields: tuple[_Field, ...] = ()


class Frame(msgspec.Struct):
    """One table of an answer to a query."""

    data: _Columns
    schema: _Schema

    @property
    def is_empty(self) -> bool:
        """Whether it has no value at all."""
        return not any(self.data.values)

    def labels(self, name: str) -> set[str]:
        """The values that a label has in it."""
        return {field.labels[name] for field in self.schema.fields if field.labels and name in field.labels}


class _Result(msgspec.Struct):
    error: str = ""
    frames: tuple[Frame, ...] = ()


class _Results(msgspec.Struct):
    results: Mapping[str, _Result]


class Grafana:
    """The HTTP API of one Grafana, as somebody who has not logged in. It reads and never writes."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def version(self) -> str:
        """Its version. Raises NotAsItShould where it is not healthy."""
        health = self._get("/api/health", _Health)
        if health.database != "ok":
            raise NotAsItShould(f"its database is '{health.database}'")
        return health.version

    def require_data_source(self) -> None:
        """Raises NotAsItShould where its Prometheus does not answer it."""
        health = self._get(f"/api/datasources/uid/{DATA_SOURCE}/health", _SourceHealth)
        if health.status != "OK":
            raise NotAsItShould(health.message or health.status)

    def home(self) -> str:
        """The uid of the dashboard that it opens with. Raises NotAsItShould."""
        return self._get("/api/dashboards/home", _Dashboard).dashboard.uid

    def folder_of(self, uid: str) -> str:
        """The folder of a dashboard. Raises NotAsItShould where that may not be opened, or came from elsewhere."""
        meta = self._get(f"/api/dashboards/uid/{uid}", _Dashboard).meta
        if not meta.provisioned:
            raise NotAsItShould("it is there, but not the one of this lab's files")
        return meta.folderTitle

    def ask(self, targets: Sequence[Mapping[str, Any]], span: Span) -> Mapping[str, Sequence[Frame]]:
        """What the targets of a panel find, by their letters. `expr` has no variables left. Raises NotAsItShould."""
        queries = [
            {
                "refId": target["refId"],
                "expr": target["expr"],
                "datasource": {"type": "prometheus", "uid": DATA_SOURCE},
                "instant": bool(target.get("instant")),
                "range": not target.get("instant"),
                "intervalMs": round(span.step_s * 1000),
                "maxDataPoints": len(span.times),
            }
            for target in targets
        ]
        body = {"from": str(round(span.start * 1000)), "to": str(round(span.end * 1000)), "queries": queries}
        found = self._get("/api/ds/query", _Results, json.dumps(body).encode()).results
        for letter, result in found.items():
            if result.error:
                raise NotAsItShould(f"{letter}: {result.error[:LONGEST_REASON]}")
        return {letter: result.frames for letter, result in found.items()}

    def _get(self, path: str, form: type[T], data: bytes | None = None) -> T:
        headers = {"Content-Type": "application/json"} if data else {}
        try:
            answer = http.ask(self._url + path, data=data, headers=headers, timeout_s=PATIENCE_S)
        except http.NoAnswer as error:
            raise NotAsItShould(f"no answer ({error})") from error
        try:
            return msgspec.json.decode(answer.body, type=form)
        except (ValueError, RecursionError) as error:
            said = " ".join(answer.text.split())[:LONGEST_REASON]
            raise NotAsItShould(f"HTTP {answer.status}: {said or 'nothing'}") from error
