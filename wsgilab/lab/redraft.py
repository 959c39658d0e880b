"""A new draft over a lab.toml that is there: what no draft knows (needs, variables, users, a login) is carried over.

As the lines that they are, with their comments. Whether that went well is seen by reading both files.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wsgilab.lab.toml_lines import ASSIGNMENT, HEADER, names_in

APP, TRAFFIC, REQUESTS = "app", "traffic", "requests"
OF_A_DRAFT = ("# Drafted from", "# Left out or to be done", "# rates =", "# slo =")
"""How comments begin that a draft writes."""

Key = tuple[str, ...]
"""All the keys that lead to a value: `("app", "env")`."""


@dataclass(frozen=True)
class Kept:
    """What of an older lab.toml goes into a new one, as lines."""

    app: tuple[str, ...] = ()
    """In `[app]`."""
    traffic: tuple[str, ...] = ()
    """In `[traffic]`."""
    tables: tuple[str, ...] = ()
    """Of their own: services, login."""
    names: tuple[str, ...] = ()
    """`app.env`, `login`: for people."""


@dataclass(frozen=True)
class _Statement:
    """A header or an assignment, with the comments and empty lines before it."""

    table: Key
    """The table that it is in, or that it opens."""
    key: Key
    """What it assigns to, in that table; nothing where it is a header."""
    before: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def name(self) -> str:
        """`app.env`, `services.db`, `login`."""
        path = (*self.table, *self.key)
        return ".".join(path[: 1 if path[0] == "login" else 2])


def kept(text: str, anew: Sequence[Key]) -> Kept:
    """What to carry over from the text of a sound lab.toml: all but its requests, and what is written `anew`."""
    app: list[str] = []
    traffic: list[str] = []
    tables: list[str] = []
    places: dict[Key, list[str]] = {(APP,): app, (TRAFFIC,): traffic}
    names: dict[str, None] = {}
    for statement in _statements(text):
        path = (*statement.table, *statement.key)
        if path[0] == REQUESTS:
            continue
        place = places.get(statement.table, tables)
        place += [line for line in statement.before if not line.startswith(OF_A_DRAFT)]
        drafted = path in anew or (not statement.key and path in ((APP,), (TRAFFIC,)))
        if not drafted:
            place += statement.lines
            names[statement.name] = None
    return Kept(_trimmed(app), _trimmed(traffic), _trimmed(tables), tuple(names))


def says_the_same(old: str, new: str, anew: Sequence[Key]) -> bool:
    """Whether two texts say the same, but for the requests and what was written `anew`."""
    try:
        return _others(old, anew) == _others(new, anew)
    except tomllib.TOMLDecodeError:
        return False


def _statements(text: str) -> Iterator[_Statement]:
    """Those of a sound TOML text, in their order; comments after the last are of none."""
    table: Key = ()
    lines, first = text.split("\n"), 0
    while first < len(lines):
        start = next((at for at in range(first, len(lines)) if not re.match(r"\s*(#|$)", lines[at])), len(lines))
        if start == len(lines):
            return
        header, assignment = HEADER.match(lines[start]), ASSIGNMENT.match(lines[start])
        table = names_in(header["name"]) if header else table
        key = () if header else names_in(assignment["name"]) if assignment else (lines[start],)
        end = start + 1 if header else _end(lines, start)
        yield _Statement(table, key, tuple(lines[first:start]), tuple(lines[start:end]))
        first = end


def _end(lines: Sequence[str], start: int) -> int:
    """The line after an assignment's last: no shorter part of a list or a text of several lines is TOML."""
    for end in range(start + 1, len(lines)):
        try:
            tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return len(lines)


def _others(text: str, anew: Sequence[Key]) -> dict[str, Any]:
    document = tomllib.loads(text)
    document.pop(REQUESTS, None)
    for table, key in anew:
        document.get(table, {}).pop(key, None)
    return {name: value for name, value in document.items() if value}


def _trimmed(lines: Sequence[str]) -> tuple[str, ...]:
    """Without empty lines at either end."""
    return tuple("\n".join(lines).strip("\n").split("\n")) if any(lines) else ()
