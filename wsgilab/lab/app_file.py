"""Reads `lab.toml`, the description of an app and its traffic; what is wrong in it is told with file and line."""

from __future__ import annotations

import base64
import csv
import re
import tomllib
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from wsgilab.errors import UsageError, did_you_mean
from wsgilab.lab import toml_words
from wsgilab.lab.toml_lines import line_of
from wsgilab.model import slo
from wsgilab.model.app_file import AppFile, Exchange, TrafficRequest

NAME = "lab.toml"
MOST_ROWS = 100_000
MOST_BYTES = 8_000_000
"""Of rows and bodies in all: k6 keeps them in memory, once for each of its virtual users."""
PLACEHOLDER = re.compile(r"\{(\w+)\}")
GIVEN = ("user", "password")
"""Placeholders that a user of the session fills in."""


def read(path: Path) -> AppFile:
    """The description in a file. Raises UsageError, with file and line, where it cannot be used as it stands."""
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        raise _wrong(
            path, int(at[1]) if at else None, f"this is no TOML: {error}", "a quote or a bracket is missing"
        ) from error
    try:
        found = msgspec.convert(document, AppFile)
    except msgspec.ValidationError as error:
        message, _, at_path = str(error).partition(" - at `")
        where = toml_words.parts(at_path.rstrip("`"))
        raise _wrong(
            path,
            line_of(text, where, toml_words.key_in(message)),
            toml_words.in_words(message, where),
            toml_words.cause(message, where),
        ) from error
    _check(found, path, text)
    return found


def traffic_for_k6(file: AppFile, folder: Path) -> dict[str, Any]:
    """The traffic as k6/load.js reads it: rows and bodies in place of the names of files.

    Raises UsageError for a file that is missing, or that lacks a column which a placeholder names.
    """
    path = folder / NAME
    text = _text(path)
    found = {
        "login": [_exchange(step, folder, path, text, ("login", number)) for number, step in enumerate(file.login)],
        "requests": [
            {
                **_exchange(request, folder, path, text, ("requests", number)),
                "name": request.name,
                "weight": request.weight,
                "rows": _rows(request, folder, path, text, ("requests", number)),
                "status": _statuses(request),
                "text": request.expect.text,
            }
            for number, request in enumerate(file.requests)
        ],
        "users": file.traffic.users,
        "think_time_s": file.traffic.think_time_s,
        "follow_redirects": file.traffic.follow_redirects,
    }
    size = len(msgspec.json.encode(found))
    if size > MOST_BYTES:
        raise _wrong(
            path,
            None,
            f"its rows and bodies are {size / 1e6:.1f} MB in all, and {MOST_BYTES / 1e6:.0f} MB is the most",
            "k6 keeps them in memory for each of its virtual users",
        )
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            f"There is no {path}.",
            "the folder of the app has no description of its traffic yet",
            f"./lab init --app-dir {path.parent}",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}.", "not a text file in UTF-8, or not yours to read", f"ls -l {path}"
        ) from error


# ── what types do not say ───────────────────────────────────────────────────────────────────────────────────────────


def _check(file: AppFile, path: Path, text: str) -> None:
    """Raise UsageError for what is of the right type and still cannot be."""
    names = [request.name for request in file.requests]
    saved = {name for exchange in (*file.login, *file.requests) for name in exchange.save}
    if file.traffic.slo is not None:
        _check_slo(file.traffic.slo, path, text, ("traffic", "slo"))
    for number, request in enumerate(file.requests):
        where: toml_words.Where = ("requests", number)
        if names.index(request.name) != number:
            _refuse(
                path,
                text,
                (*where, "name"),
                f"a second request is named '{request.name}'",
                "each has figures of its own, by its name",
            )
        if request.slo is not None:
            _check_slo(request.slo, path, text, (*where, "slo"))
        _check_exchange(request, path, text, where)
        _check_placeholders(request, saved, path, text, where)
    for number, step in enumerate(file.login):
        _check_exchange(step, path, text, ("login", number))
    for name, service in file.services.items():
        if (service.command is None) == (service.compose is None):
            _refuse(
                path,
                text,
                ("services", name),
                f"service '{name}' needs either a command or a Compose file",
                "one of the two, not both and not none",
            )
        if service.compose is not None and service.service is None:
            _refuse(
                path,
                text,
                ("services", name),
                f"service '{name}' does not say which service of {service.compose} it is",
                'service = "NAME" is missing',
            )


def _check_exchange(exchange: Exchange, path: Path, text: str, where: toml_words.Where) -> None:
    bodies = [
        key
        for key, value in (
            ("json", None if exchange.json is msgspec.UNSET else exchange),
            ("form", exchange.form),
            ("body", exchange.body),
            ("body_file", exchange.body_file),
        )
        if value is not None
    ]
    if len(bodies) > 1:
        _refuse(
            path,
            text,
            (*where, bodies[1]),
            f"a request has one body, and this one has {' and '.join(bodies)}",
            "keep one of them",
        )
    if bodies and exchange.method in ("GET", "HEAD"):
        _refuse(
            path, text, (*where, bodies[0]), f"a {exchange.method} carries no {bodies[0]}", 'method = "POST" is missing'
        )
    for name, pattern in exchange.save.items():
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            _refuse(
                path,
                text,
                (*where, "save"),
                f"save.{name} is no regular expression: {error}",
                "a bracket, or a backslash in a \"…\" string: use '…'",
            )
        if groups != 1:
            _refuse(
                path,
                text,
                (*where, "save"),
                f"save.{name} has {groups} groups, and needs one: the part to keep",
                'put that part in brackets: \'value="([^"]+)"\'',
            )


def _check_placeholders(
    request: TrafficRequest, saved: set[str], path: Path, text: str, where: toml_words.Where
) -> None:
    if isinstance(request.data, str):
        return  # its columns are known once it is read
    columns = {column for row in request.data or () for column in row}
    _require_known(request, columns | saved, path, text, where)


def _require_known(request: TrafficRequest, known: set[str], path: Path, text: str, where: toml_words.Where) -> None:
    for name in PLACEHOLDER.findall(request.path):
        if name not in known and name not in GIVEN:
            _refuse(
                path,
                text,
                (*where, "path"),
                f"nothing fills {{{name}}} in '{request.path}'",
                did_you_mean(name, known, "no column of its data and no saved value has that name"),
            )


def _check_slo(value: str, path: Path, text: str, where: toml_words.Where) -> None:
    try:
        slo.parse(value)
    except UsageError as error:
        _refuse(path, text, where, error.what.rstrip("."), error.cause)


# ── for k6 ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _exchange(exchange: Exchange, folder: Path, path: Path, text: str, where: toml_words.Where) -> dict[str, Any]:
    found: dict[str, Any] = {"method": exchange.method, "path": exchange.path, "headers": dict(exchange.headers)}
    if exchange.json is not msgspec.UNSET:
        found["json"] = exchange.json
    if exchange.form is not None:
        found["form"] = dict(exchange.form)
    if exchange.body is not None:
        found["body"] = exchange.body
    if exchange.body_file is not None:
        content = _content(folder / exchange.body_file, path, text, (*where, "body_file"))
        found["body_base64"] = base64.b64encode(content).decode()
    return {**found, "save": dict(exchange.save)}


def _rows(
    request: TrafficRequest, folder: Path, path: Path, text: str, where: toml_words.Where
) -> list[dict[str, str]]:
    """The rows of a request's data, as text."""
    if request.data is None:
        return []
    if not isinstance(request.data, str):
        return [{column: _as_text(value) for column, value in row.items()} for row in request.data]
    content = _content(folder / request.data, path, text, (*where, "data"))
    try:
        rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        _refuse(path, text, (*where, "data"), f"{request.data} is no CSV file: {error}", "save it as CSV in UTF-8")
    if not rows or len(rows) > MOST_ROWS:
        _refuse(
            path,
            text,
            (*where, "data"),
            f"{request.data} has {len(rows)} rows below its header; 1 to {MOST_ROWS} can be used",
            "an empty file, or one meant for something else",
        )
    short = next((number for number, row in enumerate(rows, 2) if None in row or None in row.values()), None)
    if short:
        _refuse(
            path,
            text,
            (*where, "data"),
            f"{request.data}, line {short}, has not as many columns as the header",
            "a comma too many or too few; text with a comma in it wants quotes",
        )
    _require_known(request, set(rows[0]) | set(request.save), path, text, where)
    return [dict(row) for row in rows]


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _statuses(request: TrafficRequest) -> list[int]:
    wanted = request.expect.status
    return [] if wanted is None else [wanted] if isinstance(wanted, int) else list(wanted)


def _content(file: Path, path: Path, text: str, where: toml_words.Where) -> bytes:
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        what = f"{file} cannot be read: {error.strerror}"
        _refuse(path, text, where, what, "a typo, or a path that is not relative to lab.toml")
    if size > MOST_BYTES:
        what = f"{file} has more than {MOST_BYTES / 1e6:.0f} MB"
        _refuse(path, text, where, what, "k6 keeps it in memory for each of its virtual users")
    return content


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse(path: Path, text: str, where: toml_words.Where, what: str, cause: str) -> NoReturn:
    raise _wrong(path, line_of(text, where), f"{toml_words.written(where)}: {what}", cause)


def _wrong(path: Path, line: int | None, what: str, cause: str) -> UsageError:
    place = f"{path}, line {line}" if line else str(path)
    return UsageError(f"{place}: {what}.", cause, f"{'${EDITOR:-vi} ' + (f'+{line} ' if line else '')}{path}")
