"""The traffic that a lab.toml describes, as k6/traffic.js reads it."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import msgspec

from wsgilab.errors import did_you_mean
from wsgilab.lab.toml_source import MOST_BYTES, Source
from wsgilab.lab.toml_words import Where, texts_in
from wsgilab.model.app_file import AppFile, Exchange, TrafficRequest

PLACEHOLDER = re.compile(r"\{(\w+)\}")
NOBODY_KNOWS = "no column of its data and no saved value has that name"
TEXTS = ("headers", "json", "form", "body")
"""Keys of an exchange whose texts may hold placeholders, besides its path."""


def traffic_for_k6(file: AppFile, path: Path) -> dict[str, Any]:
    """The traffic of the file at `path`: rows and bodies in place of the names of files.

    Raises UsageError for a file that is missing, or that lacks a column which a placeholder names.
    """
    source = Source.open(path)
    users = source.rows(file.traffic.login_data, ("traffic", "login_data"))
    of_login = columns(users) | saved(file.login)
    known = of_login | saved(file.requests)
    for number, step in enumerate(file.login):
        _require_filled(step, of_login, source, ("login", number))
    found = {
        "login": [_exchange(step, source, ("login", number)) for number, step in enumerate(file.login)],
        "login_rows": users,
        "requests": [
            _request(request, source, ("requests", number), known) for number, request in enumerate(file.requests)
        ],
        "users": file.traffic.users,
        "follow_redirects": file.traffic.follow_redirects,
    }
    size = len(msgspec.json.encode(found))
    if size > MOST_BYTES:
        what = f"its rows and bodies are {size / 1e6:.1f} MB in all, and {MOST_BYTES / 1e6:.0f} MB is the most"
        raise source.wrong(None, what, "k6 keeps them in memory")
    return found


def columns(rows: Sequence[dict[str, Any]]) -> set[str]:
    """The names that rows of data have."""
    return {column for row in rows for column in row}


def saved(exchanges: Sequence[Exchange]) -> set[str]:
    """The names of what is kept of answers."""
    return {name for exchange in exchanges for name in exchange.save}


def _request(request: TrafficRequest, source: Source, where: Where, known: Set[str]) -> dict[str, Any]:
    rows = source.rows(request.data, (*where, "data"))
    _require_filled(request, known | columns(rows), source, where)
    for name in PLACEHOLDER.findall(request.path):
        lacking = [number for number, row in enumerate(rows, 1) if name not in row]
        if lacking and name not in known:
            what = f"row {lacking[0]} has no '{name}', which '{request.path}' needs"
            source.refuse((*where, "data"), what, "each row has all that the path names")
    status = request.expect.status
    return {
        **_exchange(request, source, where),
        "name": request.name,
        "weight": request.weight,
        "rows": rows,
        "status": [] if status is None else [status] if isinstance(status, int) else list(status),
        "text": request.expect.text,
    }


def _exchange(exchange: Exchange, source: Source, where: Where) -> dict[str, Any]:
    found: dict[str, Any] = {"method": exchange.method, "path": exchange.path, "headers": dict(exchange.headers)}
    if exchange.json is not msgspec.UNSET:
        found["json"] = exchange.json
    if exchange.form is not None:
        found["form"] = dict(exchange.form)
    if exchange.body is not None:
        found["body"] = exchange.body
    if exchange.body_file is not None:
        content = source.content(exchange.body_file, (*where, "body_file"))
        found["body_base64"] = base64.b64encode(content).decode()
    return {**found, "save": dict(exchange.save)}


# ── placeholders ────────────────────────────────────────────────────────────────────────────────────────────────────


def _require_filled(exchange: Exchange, known: Set[str], source: Source, where: Where) -> None:
    """Raise UsageError for a placeholder that would be sent as it stands.

    In a path any is. Elsewhere braces may be meant: one is refused that is all of a text, or nearly a known one.
    """
    for name in PLACEHOLDER.findall(exchange.path):
        if not _is_filled(name, known):
            cause = _why_not(name, known) or NOBODY_KNOWS
            source.refuse((*where, "path"), f"nothing fills {{{name}}} in '{exchange.path}'", cause)
    texts = {key: getattr(exchange, key) for key in TEXTS}
    if isinstance(exchange, TrafficRequest):
        texts["expect"] = exchange.expect.text
    for key, value in texts.items():
        for text in texts_in(value):
            for name in PLACEHOLDER.findall(text):
                cause = _why_not(name, known, cutoff=0.7)
                if not _is_filled(name, known) and (cause or text == f"{{{name}}}"):
                    source.refuse((*where, key), f"nothing fills {{{name}}} in '{text}'", cause or NOBODY_KNOWS)


def _is_filled(name: str, known: Set[str]) -> bool:
    return name in known and name.isascii()


def _why_not(name: str, known: Set[str], cutoff: float = 0.6) -> str:
    """The likely cause of a placeholder that nothing fills; empty where there is none that is likely."""
    if name in known:
        return "k6 fills in what has a name of letters from a to z, digits and underscores"
    return did_you_mean(name, known, "", cutoff)
