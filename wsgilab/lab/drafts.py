"""A first lab.toml: from the routes of an app, or from requests that were made of it (see access_log and har).

What somebody asked for is theirs: query strings, bodies and the values in paths are left out unless wanted, and
a draft says what to fill in instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from wsgilab.errors import UsageError
from wsgilab.model.app_file import MOST_REQUESTS

MOST_KINDS = 30
"""Kinds of requests in a draft: the commonest. A mix of hundreds is measured no better by all of them."""
MOST_TOLD_APART = 100_000
"""Kinds that are counted: a log may be larger than the memory, and each of its paths another."""
MOST_VALUES = 50
LONGEST_TARGET = 8_000
VALUES = (
    re.compile(r"\d+"),
    re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"),
    re.compile(r"(?=.*\d)[0-9a-fA-F]{8,}"),
    re.compile(r"[^/]*(?:@|%40)[^/]*"),
    re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[\w.~-]{20,}"),
)
"""Segments of a path that stand for one thing out of many: a number, a UUID, a hash, an address, a token."""
STATIC = re.compile(r"\.(?:css|js|map|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|txt|xml)$", re.IGNORECASE)
GOOD = re.compile(r"[23]\d\d|")
NOT_MODIFIED = "304"
BODIES = ("POST", "PUT", "PATCH", "DELETE")
METHODS = ("GET", "HEAD", "OPTIONS", *BODIES)
LOGIN = re.compile(r"(?:/|_|-)(?:log|sign)[-_]?in/?$", re.IGNORECASE)
HEALTH = ("/health", "/healthz", "/health/", "/livez", "/ping", "/up")
"""Paths by which apps say that they are there, the likeliest first."""
FAILED, FOR_FILES = "that were not answered 2xx or 3xx", "for static files, which a proxy or a CDN should answer"
NOWHERE, TOO_MANY = "for what is no path", f"of further kinds, beyond the first {MOST_TOLD_APART:,}"


@dataclass
class Kind:
    """Requests that differ in their values only."""

    method: str
    path: str
    """With {placeholders} for values."""
    count: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    rows: list[dict[str, str]] = field(default_factory=list)
    """Values that were seen, where they are wanted."""
    form: tuple[str, ...] = ()
    """Names of a form's fields."""
    keys: tuple[str, ...] = ()
    """Names in a JSON body."""
    aside: bool = False
    """Whether it is to be a comment: it changes something, and nobody has said yet what it sends."""


@dataclass
class Draft:
    """What a lab.toml will say, and what was left out of it."""

    kinds: list[Kind]
    source: str
    """Where it comes from, for the first line."""
    rates: tuple[float, ...] = ()
    """Mean and peak of a log, in requests per second."""
    notes: list[str] = field(default_factory=list)
    health: str | None = None
    """A path that says whether the app is there."""
    login: str | None = None
    """A path that a form for logging in is sent to."""


def from_routes(routes: Sequence[Mapping[str, Any]], app: str) -> Draft:
    """The routes of an app: `rule` (`/items/<int:id>`) and `methods`, as services/serve/routes.py prints them."""
    kinds = []
    for route in routes:
        path = re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", str(route["rule"])).replace(" ", "%20")
        converters: Mapping[str, str] = route.get("converters") or {}
        methods = [method for method in METHODS if method in route["methods"]]
        for method in [name for name in methods if name not in ("HEAD", "OPTIONS")]:
            row = {name: _example(converters.get(name, "")) for name in re.findall(r"\{(\w+)\}", path)}
            kinds.append(Kind(method, path, 1, rows=[row] if row else [], aside=method in BODIES))
    health = next((kind.path for kind in kinds if kind.method == "GET" and kind.path in HEALTH), None)
    login = next((kind.path for kind in kinds if kind.method == "POST" and LOGIN.search(kind.path)), None)
    wanted = [kind for kind in kinds if kind.path not in (health, login)]
    asked = list(_first(wanted))
    changing = [f"{kind.method} {kind.path}" for kind in asked if kind.aside]
    notes = [f"what changes something, until you say what it sends: {', '.join(changing)}"] if changing else []
    if len(asked) < len(wanted):
        notes.append(f"{len(wanted) - len(asked)} routes, for a lab.toml has {MOST_REQUESTS} requests at most")
    if not any(kind.method == "GET" for kind in asked):
        asked.insert(0, Kind("GET", "/", 1))
        notes.append("the app names no routes to read: put its paths in here")
    return Draft(asked, f"the routes of {app}", notes=notes, health=health, login=login)


def _first(kinds: Sequence[Kind]) -> Iterator[Kind]:
    """As many as a lab.toml may have, and as many again of those that are to be comments."""
    room = {False: MOST_REQUESTS, True: MOST_REQUESTS}
    for kind in kinds:
        if room[kind.aside]:
            room[kind.aside] -= 1
            yield kind


class Collected:
    """Requests that were made of an app, by kind."""

    def __init__(self, values: bool) -> None:
        """`values`: whether what was in paths and query strings is wanted."""
        self._values = values
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._left_out: Counter[str] = Counter()

    def add(self, method: str, target: str, status: str) -> Kind | None:
        """Count a request (`status` is empty where nobody knows it), and give its kind; None if it is left out."""
        url = _split(target)
        if url is None or not GOOD.fullmatch(status) or STATIC.search(url.path):
            self._left_out[FAILED if not GOOD.fullmatch(status) else FOR_FILES if url else NOWHERE] += 1
            return None
        path, row = _template(url.path or "/")
        if self._values and url.query:
            path += "?" + url.query.replace("{", "%7B").replace("}", "%7D")
        if (method, path) not in self._kinds and len(self._kinds) >= MOST_TOLD_APART:
            self._left_out[TOO_MANY] += 1
            return None
        kind = self._kinds.setdefault((method, path), Kind(method, path))
        kind.count += 1
        # A browser had it already, and said so; k6 does not.
        kind.statuses["200" if status == NOT_MODIFIED else status] += bool(status)
        if self._values and row and row not in kind.rows and len(kind.rows) < MOST_VALUES:
            kind.rows.append(row)
        return kind

    def draft(self, source: str, rates: tuple[float, ...] = (), notes: Sequence[str] = ()) -> Draft:
        """The draft of the commonest kinds. Raises UsageError where there is none at all."""
        found = sorted(self._kinds.values(), key=lambda kind: -kind.count)
        if not found:
            raise UsageError(
                f"There is nothing to draft from in {source}.",
                "no request in it was answered 2xx or 3xx, or all were for static files; the app's own routes may do",
                "./lab init --app-dir . --app app:app",
            )
        left_out = [f"{count} requests {which}" for which, count in self._left_out.items()]
        if rest := sum(kind.count for kind in found[MOST_KINDS:]):
            left_out.append(f"{rest} requests beyond the {MOST_KINDS} commonest kinds")
        return Draft(found[:MOST_KINDS], source, rates, [*left_out, *notes])


def _split(target: str) -> SplitResult | None:
    """The parts of a target; None for what nobody could ask for again: `*`, half an address, binary rubbish."""
    try:
        url = urlsplit(target)
    except ValueError:
        return None
    sound = target.isprintable() and len(target) <= LONGEST_TARGET
    return url if sound and url.path[:1] in ("", "/") else None


def _template(path: str) -> tuple[str, dict[str, str]]:
    """`/items/7/photos/9` → (`/items/{id}/photos/{id2}`, {"id": "7", "id2": "9"})."""
    row: dict[str, str] = {}
    segments = []
    for segment in path.replace("{", "%7B").replace("}", "%7D").split("/"):
        if segment and any(pattern.fullmatch(segment) for pattern in VALUES):
            name = f"id{len(row) + 1}" if row else "id"
            row[name] = segment
            segments.append(f"{{{name}}}")
        else:
            segments.append(segment)
    return "/".join(segments), row


def _example(converter: str) -> str:
    return {"int": "1", "float": "1.0", "uuid": "00000000-0000-0000-0000-000000000000"}.get(converter, "example")
