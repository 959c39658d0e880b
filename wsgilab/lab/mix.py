"""The requests of an app, each as it can be sent: those of its lab.toml, or one for each route that it has."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from wsgilab.lab import app_file, drafts
from wsgilab.lab.traffic import traffic_for_k6
from wsgilab.model.checkup import Question

MOST_QUESTIONS = 40
Values = Mapping[str, Any]
"""What fills {placeholders}."""


@dataclass(frozen=True)
class Step:
    """A request of a mix, with {placeholders} in it; as k6/traffic.js sends it."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    """`json`, `form`, `body` or `body_base64`."""
    save: Mapping[str, str] = field(default_factory=dict)
    row: Values = field(default_factory=dict)

    def body(self, values: Values) -> bytes | None:
        """What it carries, with these values filled in."""
        if "json" in self.content:
            return json.dumps(filled_all(self.content["json"], values)).encode()
        if "form" in self.content:
            return urlencode(filled_all(self.content["form"], values)).encode()
        if "body" in self.content:
            return str(filled_all(self.content["body"], values)).encode()
        return base64.b64decode(self.content["body_base64"]) if "body_base64" in self.content else None

    def all_headers(self, values: Values) -> dict[str, str]:
        """Its headers, with the type of what it carries."""
        kinds = {
            "json": "application/json",
            "form": "application/x-www-form-urlencoded",
            "body_base64": "application/octet-stream",
        }
        kind = next((kind for key, kind in kinds.items() if key in self.content), None)
        usual = {"Content-Type": kind} if kind else {}
        return {**usual, **{name: str(filled_all(text, values)) for name, text in self.headers.items()}}

    def full_path(self, values: Values) -> str:
        """Its path, with these values filled in."""
        return re.sub(
            r"\{(\w+)\}",
            lambda hole: quote(str(values[hole[1]]), safe="") if hole[1] in values else hole[0],
            self.path,
        )


@dataclass(frozen=True)
class Mix:
    """What to ask of an app."""

    questions: tuple[Question, ...]
    steps: tuple[Step, ...]
    """Of each question, in the same order."""
    login: tuple[Step, ...] = ()
    user: Values = field(default_factory=dict)
    """What fills the placeholders of a login."""


def described(path: Path) -> Mix:
    """The mix of a lab.toml. Raises UsageError."""
    file = app_file.read(path)
    traffic = traffic_for_k6(file, path)
    redirects = (301, 302, 303, 307, 308) if file.traffic.follow_redirects else ()
    users = traffic["login_rows"]
    return Mix(
        tuple(_question(request, redirects) for request in traffic["requests"]),
        tuple(_step(request) for request in traffic["requests"]),
        tuple(_step(step) for step in traffic["login"]),
        users[0] if users else {},
    )


def drafted(routes: Sequence[Mapping[str, Any]], app: str) -> Mix:
    """A GET of each route, as `./lab init` would write it down."""
    kinds = [kind for kind in drafts.from_routes(routes, app).kinds if kind.method == "GET"][:MOST_QUESTIONS]
    return Mix(
        tuple(Question(f"GET {kind.path}", "GET", kind.path, drafted=True) for kind in kinds),
        tuple(Step("GET", kind.path, row=kind.rows[0] if kind.rows else {}) for kind in kinds),
    )


def filled_all(node: Any, values: Values) -> Any:
    """Texts with their placeholders filled; one that is nothing but a placeholder becomes the value itself."""
    if isinstance(node, str):
        alone = re.fullmatch(r"\{(\w+)\}", node)
        if alone and alone[1] in values:
            return values[alone[1]]
        return re.sub(r"\{(\w+)\}", lambda hole: str(values.get(hole[1], hole[0])), node)
    if isinstance(node, list):
        return [filled_all(inner, values) for inner in node]
    if isinstance(node, Mapping):
        return {key: filled_all(inner, values) for key, inner in node.items()}
    return node


def _question(request: Mapping[str, Any], redirects: tuple[int, ...]) -> Question:
    statuses = tuple(request["status"])
    expected = statuses or ((*range(200, 300), *redirects) if redirects else ())
    return Question(request["name"], request["method"], request["path"], expected, request["text"])


def _step(request: Mapping[str, Any]) -> Step:
    content = {key: request[key] for key in ("json", "form", "body", "body_base64") if key in request}
    rows = request.get("rows") or [{}]
    return Step(request["method"], request["path"], request["headers"], content, request["save"], rows[0])
