"""A first lab.toml: from the routes of an app, from an access log, or from what a browser recorded (HAR).

What somebody asked for is theirs: query strings, bodies and the values in paths are left out unless wanted, and
a draft says what to fill in instead.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from wsgilab.errors import UsageError

MOST_KINDS = 30
"""Kinds of requests in a draft: the commonest. A mix of hundreds is measured no better by all of them."""
MOST_VALUES = 50
LINE = re.compile(
    r'^\S+ \S+ \S+ \[(?P<at>[^\]]+)\] "(?P<method>[A-Z]+) (?P<target>\S+)(?: HTTP/[\d.]+)?" '
    r"(?P<status>\d{3}) (?:\d+|-)(?: .*)?$"
)
"""The common and the combined log format of Apache and nginx
(https://httpd.apache.org/docs/current/logs.html#accesslog)."""
TIME = "%d/%b/%Y:%H:%M:%S %z"
VALUES = (
    re.compile(r"\d+"),
    re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"),
    re.compile(r"(?=.*\d)[0-9a-fA-F]{8,}"),
    re.compile(r"[^/]*(?:@|%40)[^/]*"),
    re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[\w.~-]{20,}"),
)
"""Segments of a path that stand for one thing out of many: a number, a UUID, a hash, an address, a token."""
STATIC = re.compile(r"\.(?:css|js|map|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|txt|xml)$", re.IGNORECASE)
BODIES = ("POST", "PUT", "PATCH", "DELETE")
METHODS = ("GET", "HEAD", "OPTIONS", *BODIES)
LOGIN = re.compile(r"(?:/|_|-)(?:log|sign)[-_]?in/?$", re.IGNORECASE)
HEALTH = ("/health", "/healthz", "/health/", "/livez", "/ping", "/up")
"""Paths by which apps say that they are there, the likeliest first."""


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
        path = re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", str(route["rule"]))
        converters: Mapping[str, str] = route.get("converters") or {}
        methods = [method for method in METHODS if method in route["methods"]]
        for method in [name for name in methods if name not in ("HEAD", "OPTIONS")]:
            row = {name: _example(converters.get(name, "")) for name in re.findall(r"\{(\w+)\}", path)}
            kinds.append(Kind(method, path, 1, rows=[row] if row else [], aside=method in BODIES))
    health = next((kind.path for kind in kinds if kind.method == "GET" and kind.path in HEALTH), None)
    login = next((kind.path for kind in kinds if kind.method == "POST" and LOGIN.search(kind.path)), None)
    asked = [kind for kind in kinds if kind.path not in (health, login)]
    changing = [f"{kind.method} {kind.path}" for kind in asked if kind.aside]
    notes = [f"what changes something, until you say what it sends: {', '.join(changing)}"] if changing else []
    if not any(kind.method == "GET" for kind in asked):
        asked.insert(0, Kind("GET", "/", 1))
        notes.append("the app names no routes to read: put its paths in here")
    return Draft(asked, f"the routes of {app}", notes=notes, health=health, login=login)


def from_log(lines: Iterable[str], values: bool = False) -> Draft:
    """An access log in the common or the combined format. Raises UsageError where hardly a line is one of it."""
    kinds: dict[tuple[str, str], Kind] = {}
    seconds: Counter[int] = Counter()
    read = unread = failed = static = 0
    for line in lines:
        found = LINE.match(line.strip())
        if not found or found["method"] not in METHODS:
            unread += bool(line.strip())
            continue
        read += 1
        if at := _epoch(found["at"]):
            seconds[at] += 1
        if found["status"][0] not in "23":
            failed += 1
        elif STATIC.search(urlsplit(found["target"]).path):
            static += 1
        else:
            _count(kinds, found["method"], found["target"], found["status"], values)
    if unread > read:
        raise UsageError(
            f"{unread} of {read + unread} lines are not from an access log in the common or combined format.",
            'another kind of file; lines look like 127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 26',
            "./lab init --help",
        )
    notes = [
        *_left_out(failed, "that were answered 4xx or 5xx"),
        *_left_out(static, "for static files, which a proxy or a CDN should answer"),
        *_left_out(unread, "that are not in that format", "lines"),
    ]
    return _commonest(kinds, f"an access log of {read} requests", notes, _rates(seconds))


def from_har(text: str, values: bool = False) -> Draft:
    """What a browser recorded (HTTP Archive 1.2), of its commonest host. Raises UsageError where it is none."""
    try:
        entries = json.loads(text)["log"]["entries"]
        requests = [entry["request"] for entry in entries]
        hosts = Counter(urlsplit(request["url"]).netloc for request in requests)
        host = hosts.most_common(1)[0][0]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, AttributeError) as error:
        raise UsageError(
            f"This is not a HAR file: {type(error).__name__}: {error}.",
            "it was cut off, or is another kind of file; the browser's developer tools save one, under Network",
            "./lab init --help",
        ) from error
    kinds: dict[tuple[str, str], Kind] = {}
    static = 0
    for entry, request in zip(entries, requests, strict=True):
        url = urlsplit(str(request.get("url")))
        if url.netloc != host or request.get("method") not in METHODS:
            continue
        if STATIC.search(url.path):
            static += 1
            continue
        status = str((entry.get("response") or {}).get("status") or "")
        target = url.path + (f"?{url.query}" if url.query else "")
        _describe_body(_count(kinds, request["method"], target, status, values), request.get("postData") or {})
    others = sum(hosts.values()) - hosts[host]
    notes = [*_left_out(others, f"to other hosts than {host}"), *_left_out(static, "for static files")]
    return _commonest(kinds, f"{hosts[host]} requests that a browser recorded", notes, ())


def _count(kinds: dict[tuple[str, str], Kind], method: str, target: str, status: str, values: bool) -> Kind:
    url = urlsplit(target)
    path, row = _template(url.path or "/")
    if values and url.query:
        path += "?" + url.query.replace("{", "%7B").replace("}", "%7D")
    kind = kinds.setdefault((method, path), Kind(method, path))
    kind.count += 1
    kind.statuses[status] += bool(status)
    if values and row and row not in kind.rows and len(kind.rows) < MOST_VALUES:
        kind.rows.append(row)
    return kind


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


def _describe_body(kind: Kind, posted: Mapping[str, Any]) -> None:
    """The names in a body, never what they hold."""
    text = str(posted.get("text") or "")
    if "json" in str(posted.get("mimeType")):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return
        kind.keys = tuple(map(str, found)) if isinstance(found, dict) else ()
    elif "urlencoded" in str(posted.get("mimeType")):
        parameters = posted.get("params") or [{"name": name} for name, _ in parse_qsl(text, keep_blank_values=True)]
        kind.form = tuple(dict.fromkeys(str(parameter["name"]) for parameter in parameters))


def _commonest(kinds: Mapping[tuple[str, str], Kind], source: str, notes: list[str], rates: tuple[float, ...]) -> Draft:
    found = sorted(kinds.values(), key=lambda kind: -kind.count)
    if not found:
        raise UsageError(
            f"There is nothing to draft from in {source}.",
            "no request in it was answered 2xx or 3xx, or all were for static files; the app's own routes may do",
            "./lab init --app-dir . --app app:app",
        )
    rest = sum(kind.count for kind in found[MOST_KINDS:])
    return Draft(
        found[:MOST_KINDS], source, rates, [*notes, *_left_out(rest, f"beyond the {MOST_KINDS} commonest kinds")]
    )


def _left_out(count: int, which: str, what: str = "requests") -> list[str]:
    return [f"{count} {what} {which}"] if count else []


def _rates(seconds: Counter[int]) -> tuple[float, ...]:
    """(mean, busiest second) in requests per second; the mean over the time that the log covers."""
    if len(seconds) < 2:
        return ()
    mean = sum(seconds.values()) / (max(seconds) - min(seconds) + 1)
    rounded = float(f"{max(mean, 0.1):.2g}")
    peak = float(max(seconds.values()))
    return (rounded, peak) if peak > rounded else (rounded,)


def _epoch(text: str) -> int | None:
    try:
        return int(datetime.strptime(text, TIME).timestamp())
    except ValueError:
        return None


def _example(converter: str) -> str:
    return {"int": "1", "float": "1.0", "uuid": "00000000-0000-0000-0000-000000000000"}.get(converter, "example")
