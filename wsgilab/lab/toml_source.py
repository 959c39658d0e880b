"""A lab.toml as it is read: its text, the files next to it that it names, and errors that name file and line."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from wsgilab.errors import UsageError, to_edit, to_paste
from wsgilab.lab import toml_words
from wsgilab.lab.toml_lines import line_of
from wsgilab.lab.toml_words import Where
from wsgilab.model.app_file import Rows

MOST_ROWS = 100_000
MOST_BYTES = 8_000_000
"""Of rows and bodies in all: k6 keeps them in memory, and writes them down anew for each window."""


@dataclass(frozen=True)
class Source:
    """The file itself, and those next to it that it names."""

    path: Path
    text: str

    @classmethod
    def open(cls, path: Path) -> Source:
        """Raises UsageError."""
        try:
            return cls(path, path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError as error:
            what, cause = f"There is no {path}.", "the folder of the app has no description of its traffic yet"
            raise UsageError(what, cause, to_paste("./lab", "init", "--app-dir", path.parent)) from error
        except (OSError, UnicodeDecodeError) as error:
            what, cause = f"{path} cannot be read: {error}.", "not a text file in UTF-8, or not yours to read"
            raise UsageError(what, cause, to_paste("ls", "-l", path)) from error

    def document(self) -> dict[str, Any]:
        """What it says. Raises UsageError, with the line, where it is not TOML."""
        try:
            return tomllib.loads(self.text)
        except RecursionError as error:
            raise self.wrong(None, "its lists or tables are nested too deeply", "made by a program") from error
        except tomllib.TOMLDecodeError as error:
            line = toml_words.line_in(str(error))
            raise self.wrong(line, f"this is not TOML: {error}", "a quote or a bracket is missing") from error

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
        except (OSError, ValueError) as error:
            what = f"{file} cannot be read: {getattr(error, 'strerror', None) or error}"
            self.refuse(where, what, "a typo, or a path that is not relative to lab.toml")
        if size > MOST_BYTES:
            self.refuse(where, f"{file} has more than {MOST_BYTES / 1e6:.0f} MB", "k6 keeps it in memory")
        return content

    def rows(self, data: Rows | None, where: Where) -> list[dict[str, Any]]:
        """Rows of data that stand here, or in a CSV file; those of a file are text."""
        if data is None or not isinstance(data, str):
            return [dict(row) for row in data or ()]
        try:
            rows = list(self._rows_of_file(data, where))
        except (UnicodeDecodeError, csv.Error) as error:
            self.refuse(where, f"{data} is not a CSV file: {error}", "save it as CSV in UTF-8, with quotes in pairs")
        if not rows or len(rows) > MOST_ROWS:
            what = f"{data} has {len(rows)} rows below its header; 1 to {MOST_ROWS} can be used"
            self.refuse(where, what, "an empty file, or one meant for something else")
        return rows

    def _rows_of_file(self, name: str, where: Where) -> Iterator[dict[str, Any]]:
        # As it is: a field in quotes may have line ends.
        reader = csv.DictReader(io.StringIO(self.content(name, where).decode("utf-8-sig"), newline=""), strict=True)
        columns = list(reader.fieldnames or ())
        if len(columns) == 1 and ";" in columns[0]:
            what = f"the header of {name} has one column, '{columns[0]}'"
            self.refuse(where, what, "columns with semicolons between them; save it with commas")
        if twice := next((column for column in columns if columns.count(column) > 1), None):
            self.refuse(where, f"the header of {name} has '{twice}' twice", "two columns of one name")
        for row in reader:
            if None in row or None in row.values():
                what = f"{name}, line {reader.line_num}, has not as many columns as the header"
                self.refuse(where, what, "a comma too many or too few; text with a comma in it wants quotes")
            yield row
