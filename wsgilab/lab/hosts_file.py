"""Reads `hosts.toml`, the machines of a measurement; errors name the file and the line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from wsgilab.errors import UsageError, did_you_mean, to_edit, to_paste
from wsgilab.lab.toml_lines import line_of
from wsgilab.model import hosts
from wsgilab.model.hosts import Host

KEYS = ("docker", *hosts.KEYS)


def read(path: Path) -> tuple[Host, ...]:
    """The hosts in a file, a table each. Raises UsageError, with file and line, where it cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what, cause = f"{path} cannot be read: {error}.", "a typo, or not a text file in UTF-8"
        raise UsageError(what, cause, to_paste("ls", "-l", path)) from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        line = int(at[1]) if at else None
        raise _wrong(path, line, f"this is not TOML: {error}", "a quote or a bracket is missing") from error
    return tuple(_host(name, table, path, text) for name, table in document.items())


def _host(name: str, table: Any, path: Path, text: str) -> Host:
    if not isinstance(table, dict):
        raise _wrong(path, line_of(text, (name,)), f"'{name}' is not a table", f"a host begins with [{name}]")
    for key, value in table.items():
        line = line_of(text, (name, key))
        if key not in KEYS:
            raise _wrong(path, line, f"{name}: there is no key '{key}'", did_you_mean(key, KEYS, f"{', '.join(KEYS)}"))
        if not isinstance(value, str):
            raise _wrong(path, line, f"{name}.{key}: it must be text", "its value wants quotes")
    try:
        return hosts.host(name, **{"docker": "", "role": "", **table})
    except UsageError as error:
        raise _wrong(path, line_of(text, (name,)), error.what.rstrip("."), error.cause) from error


def _wrong(path: Path, line: int | None, what: str, cause: str) -> UsageError:
    place = f"{path}, line {line}" if line else str(path)
    return UsageError(f"{place}: {what}.", cause, to_edit(path, line))
