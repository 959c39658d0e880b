"""Reads `lab.toml`, the description of an app and its traffic; errors name the file and the line."""

from __future__ import annotations

import base64
import csv
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from wsgilab.errors import UsageError, did_you_mean, to_edit, to_paste
from wsgilab.lab import app_needs, toml_words
from wsgilab.lab.toml_lines import line_of
from wsgilab.lab.toml_words import Where
from wsgilab.model import slo
from wsgilab.model.app_file import AppFile, Exchange, Rows, TrafficRequest
from wsgilab.model.vitals import Action

NAME = "lab.toml"
MOST_ROWS = 100_000
MOST_BYTES = 8_000_000
"""Of rows and bodies in all: k6 keeps them in memory, and writes them down anew for each window."""
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def read(path: Path) -> AppFile:
    """The description in a file. Raises UsageError, with file and line, where it cannot be used as it stands."""
    source = _Source.open(path)
    try:
        document = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        line = int(at[1]) if at else None
        raise source.wrong(line, f"this is not TOML: {error}", "a quote or a bracket is missing") from error
    try:
        found = msgspec.convert(document, AppFile)
    except msgspec.ValidationError as error:
        message, _, at_path = str(error).partition(" - at `")
        where = app_needs.with_name(toml_words.parts(at_path.rstrip("`")), document)
        line = line_of(source.text, where, toml_words.key_in(message))
        what, cause = toml_words.in_words(message, where), toml_words.cause(message, where)
        raise source.wrong(line, what, cause) from error
    _check(found, source)
    return found


def traffic_for_k6(file: AppFile, path: Path) -> dict[str, Any]:
    """The traffic of the file at `path` as k6/traffic.js reads it: rows and bodies in place of the names of files.

    Raises UsageError for a file that is missing, or that lacks a column which a placeholder names.
    """
    source = _Source.open(path)
    known = _known_to_all(file, source)
    found = {
        "login": [_exchange(step, source, ("login", number)) for number, step in enumerate(file.login)],
        "login_rows": source.rows(file.traffic.login_data, ("traffic", "login_data")),
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


def actions(path: Path) -> tuple[Action, ...]:
    """What a browser clicks on, as the file at `path` says it. Raises UsageError."""
    clicks = read(path).vitals.clicks
    return tuple(Action(click.name, click.page, click.click, click.content) for click in clicks)


def require_time_to_think(file: AppFile, rate_rps: float, path: Path) -> None:
    """Raise UsageError where so few users cannot make `rate_rps` with the pause that each takes between requests."""
    traffic = file.traffic
    if traffic.users / rate_rps >= traffic.think_time_s:
        return
    source = _Source.open(path)
    raise source.wrong(
        line_of(source.text, ("traffic", "think_time_s")),
        f"{traffic.users} users who pause for {traffic.think_time_s:g} s cannot make {rate_rps:g} requests per second",
        f"users = {int(rate_rps * traffic.think_time_s) + 1} would do, or a lower rate",
    )


@dataclass(frozen=True)
class _Source:
    """The file itself, and those next to it that it names."""

    path: Path
    text: str

    @classmethod
    def open(cls, path: Path) -> _Source:
        """Raises UsageError."""
        try:
            return cls(path, path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            what, cause = f"There is no {path}.", "the folder of the app has no description of its traffic yet"
            raise UsageError(what, cause, to_paste("./lab", "init", "--app-dir", path.parent)) from error
        except (OSError, UnicodeDecodeError) as error:
            what, cause = f"{path} cannot be read: {error}.", "not a text file in UTF-8, or not yours to read"
            raise UsageError(what, cause, to_paste("ls", "-l", path)) from error

    def wrong(self, line: int | None, what: str, cause: str) -> UsageError:
        """The error for what stands in a line."""
        place = f"{self.path}, line {line}" if line else str(self.path)
        return UsageError(f"{place}: {what}.", cause, to_edit(self.path, line))

    def refuse(self, where: Where, what: str, cause: str) -> NoReturn:
        """Raise UsageError for what stands at `where`."""
        raise self.wrong(line_of(self.text, where), f"{toml_words.written(where)}: {what}", cause)

    def content(self, name: str, where: Where) -> bytes:
        """What a file next to this one holds."""
        file = self.path.parent / name
        try:
            size = file.stat().st_size
            content = file.read_bytes() if size <= MOST_BYTES else b""
        except OSError as error:
            what = f"{file} cannot be read: {error.strerror}"
            self.refuse(where, what, "a typo, or a path that is not relative to lab.toml")
        if size > MOST_BYTES:
            self.refuse(where, f"{file} has more than {MOST_BYTES / 1e6:.0f} MB", "k6 keeps it in memory")
        return content

    def rows(self, data: Rows | None, where: Where) -> list[dict[str, Any]]:
        """Rows of data that stand here, or in a CSV file; those of a file are text."""
        if data is None or not isinstance(data, str):
            return [dict(row) for row in data or ()]
        try:
            rows = list(csv.DictReader(self.content(data, where).decode("utf-8-sig").splitlines()))
        except (UnicodeDecodeError, csv.Error) as error:
            self.refuse(where, f"{data} is not a CSV file: {error}", "save it as CSV in UTF-8")
        if not rows or len(rows) > MOST_ROWS:
            what = f"{data} has {len(rows)} rows below its header; 1 to {MOST_ROWS} can be used"
            self.refuse(where, what, "an empty file, or one meant for something else")
        short = next((number for number, row in enumerate(rows, 2) if None in row or None in row.values()), None)
        if short:
            what = f"{data}, line {short}, has not as many columns as the header"
            self.refuse(where, what, "a comma too many or too few; text with a comma in it wants quotes")
        return [dict(row) for row in rows]


# ── what types do not say ───────────────────────────────────────────────────────────────────────────────────────────


def _check(file: AppFile, source: _Source) -> None:
    """Raise UsageError for what is of the right type and still cannot be."""
    _check_slo(file.traffic.slo, source, ("traffic", "slo"))
    for at, what, cause in app_needs.problems(file):
        source.refuse(at, what, cause)
    names: set[str] = set()
    for number, request in enumerate(file.requests):
        where: Where = ("requests", number)
        if request.name in names:
            what = f"a second request is named '{request.name}'"
            source.refuse((*where, "name"), what, "each has figures of its own, by its name")
        names.add(request.name)
        _check_slo(request.slo, source, (*where, "slo"))
        _check_exchange(request, source, where)
    for number, step in enumerate(file.login):
        _check_exchange(step, source, ("login", number))
    _check_clicks(file, source)


def _check_clicks(file: AppFile, source: _Source) -> None:
    names: set[str] = set()
    for number, click in enumerate(file.vitals.clicks):
        where: Where = ("vitals", "clicks", number)
        if click.name in names:
            source.refuse((*where, "name"), f"a second click is named '{click.name}'", "each has figures of its own")
        names.add(click.name)
        if found := PLACEHOLDER.search(click.page):
            source.refuse(
                (*where, "page"),
                f"nothing fills {found[0]} in '{click.page}'",
                "placeholders are for [[requests]], which have data",
            )


def _check_slo(text: str | None, source: _Source, where: Where) -> None:
    try:
        found = slo.parse(text) if text is not None else None
    except UsageError as error:
        source.refuse(where, error.what.rstrip("."), error.cause)
    if found and found.by_request:
        what = f"it speaks of the requests named '{next(iter(found.by_request))}'"
        source.refuse(where, what, "slo = … in the table of those requests says what they must keep")


def _check_exchange(exchange: Exchange, source: _Source, where: Where) -> None:
    bodies = list(_bodies(exchange))
    if len(bodies) > 1:
        what = f"a request has one body, and this one has {' and '.join(bodies)}"
        source.refuse((*where, bodies[1]), what, "keep one of them")
    if bodies and exchange.method in ("GET", "HEAD"):
        what = f"a {exchange.method} carries no {bodies[0]}"
        source.refuse((*where, bodies[0]), what, 'method = "POST" is missing')
    for name, pattern in exchange.save.items():
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            what = f"save.{name} is not a regular expression: {error}"
            source.refuse((*where, "save"), what, "a bracket, or a backslash in a \"…\" string: use '…'")
        if groups != 1:
            what = f"save.{name} has {groups} groups, and needs one: the part to keep"
            source.refuse((*where, "save"), what, 'put that part in brackets: \'value="([^"]+)"\'')


def _bodies(exchange: Exchange) -> Iterator[str]:
    if exchange.json is not msgspec.UNSET:
        yield "json"
    for key in ("form", "body", "body_file"):
        if getattr(exchange, key) is not None:
            yield key


# ── for k6 ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _known_to_all(file: AppFile, source: _Source) -> set[str]:
    """Placeholders that any request may use: what is saved of an answer, and the columns of the users' data."""
    saved = {name for exchange in (*file.login, *file.requests) for name in exchange.save}
    return saved | _columns(source.rows(file.traffic.login_data, ("traffic", "login_data")))


def _columns(rows: Sequence[dict[str, Any]]) -> set[str]:
    return {column for row in rows for column in row}


def _request(request: TrafficRequest, source: _Source, where: Where, known: set[str]) -> dict[str, Any]:
    rows = source.rows(request.data, (*where, "data"))
    for name in PLACEHOLDER.findall(request.path):
        if name not in known | _columns(rows):
            hint = did_you_mean(name, known | _columns(rows), "no column of its data and no saved value has that name")
            source.refuse((*where, "path"), f"nothing fills {{{name}}} in '{request.path}'", hint)
    status = request.expect.status
    return {
        **_exchange(request, source, where),
        "name": request.name,
        "weight": request.weight,
        "rows": rows,
        "status": [] if status is None else [status] if isinstance(status, int) else list(status),
        "text": request.expect.text,
    }


def _exchange(exchange: Exchange, source: _Source, where: Where) -> dict[str, Any]:
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
