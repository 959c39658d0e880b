"""results/RUN: what was measured, kept from the moment it was measured.

manifest.json, windows.jsonl (one line per window, on disk before the next one starts), verdict.json, report.md,
report.html; requests/, if asked for. Files that are written anew are complete or not there: they are renamed into
place.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wsgilab.errors import MissingError, UsageError, to_paste
from wsgilab.model.controls import OBEYED, all_visible
from wsgilab.model.manifest import Manifest
from wsgilab.model.privacy import private
from wsgilab.model.window import Window
from wsgilab.results import saved
from wsgilab.results.damage import Damage, what_is_wrong

MANIFEST, WINDOWS, VERDICT = "manifest.json", "windows.jsonl", "verdict.json"
BLOCKS = "blocks.jsonl"
"""What a browser felt has these in place of windows."""
REQUESTS = "requests"
"""The folder with a line for every measured request, where somebody wanted that."""
ELSEWHERE = "; --out writes to another folder"
"""What `./lab run` can do besides, and `./lab report` cannot: the end of a cause."""
CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "the folder belongs to another user, or is write-protected",
    errno.EPERM: "the folder belongs to another user, or is write-protected",
    errno.ENOENT: "folders cannot be made there, or it is gone",
    errno.ENAMETOOLONG: "the path is too long",
    errno.ELOOP: "links that lead in a circle",
    errno.EFBIG: "a limit on the size of files (ulimit -f)",
    errno.EIO: "a disk that fails",
    errno.ENOTDIR: "a part of the path is a file: move it away",
    errno.EEXIST: "a file of that name is in the way: move it away",
    errno.EISDIR: "a folder is in the way of a file: move it away",
}


def new_folder(base: Path, command: str, now: datetime) -> Path:
    """A path under `base` for a new run, named after the UTC time `now` and the command; not taken yet."""
    name = f"{now:%Y%m%dT%H%M%SZ}-{command}"
    candidates = (base / (name if number == 1 else f"{name}-{number}") for number in range(1, 10_000))
    return next(path for path in candidates if not path.exists())


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path
    lines: str = WINDOWS
    """The file that grows while the run is under way."""

    @classmethod
    def create(cls, path: Path, lines: str = WINDOWS) -> RunFolder:
        """Make the folder, and be sure that it can be written. Raises MissingError where it cannot, UsageError where it
        holds a run already: no run writes over another."""
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            if any(os.path.lexists(path / name) for name in (WINDOWS, BLOCKS)):
                what, cause = f"{path} already holds a run.", "--out names the folder of an earlier run"
                raise UsageError(what, cause, to_paste("./lab", "report", path))
            (path / lines).touch(exist_ok=False)  # no link that somebody planted is followed
        return cls(path, lines)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The folder of an earlier run. Raises UsageError where there is none."""
        with _reading(path):
            if not (path / WINDOWS).is_file():
                raise UsageError(f"{path} holds no {WINDOWS}.", *_what_it_is(path))
            return cls(path)

    def append(self, window: Window) -> None:
        """Write one more line of windows.jsonl; it is on disk when this returns."""
        self.append_line(all_visible(window).to_json())

    def append_line(self, data: Mapping[str, Any]) -> None:
        """Write one more line of JSON; it is on disk when this returns."""
        line = json.dumps(data, separators=(",", ":")).encode() + b"\n"
        with _writing(self.path), open(self.path / self.lines, "a+b") as file:
            if _cut_off(file):
                line = b"\n" + line  # the disk was full in mid-line: keep the damage to that line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> tuple[list[Window], list[str]]:
        """(every window that can be read, a sentence for each stretch of lines that cannot). Raises UsageError."""
        windows: list[Window] = []
        damage = Damage(WINDOWS)
        with _reading(self.path / WINDOWS), open(self.path / WINDOWS, "rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    windows.append(saved.window(line))
                except (ValueError, RecursionError) as error:
                    damage.add(number, what_is_wrong(line, error))
        return windows, damage.sentences()

    def discard(self) -> None:
        """Remove the folder of a run that measured nothing; one with anything in it but its own empty files stays."""
        if (self.path / self.lines).stat().st_size > 0:
            return
        for name in (MANIFEST, self.lines):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()

    def write_manifest(self, manifest: Manifest) -> None:
        """Write manifest.json, whole or not at all."""
        self.write_json(MANIFEST, manifest.to_json())

    def read_manifest(self) -> tuple[Manifest, list[str]]:
        """(as much of the manifest as can be used, a sentence for each part that cannot)."""
        path, lost = self.path / MANIFEST, "what was measured is known, how is not"
        try:
            if path.exists() and not path.is_file():  # a pipe would be waited for
                return Manifest(), [f"{MANIFEST} is not a file: {lost}"]
            manifest = json.loads(path.read_bytes())
        except FileNotFoundError:
            return Manifest(), [f"{MANIFEST} is missing: {lost}"]
        except OSError as error:
            return Manifest(), [f"{MANIFEST} cannot be read ({error.strerror}): {lost}"]
        except (ValueError, RecursionError):
            return Manifest(), [f"{MANIFEST} is damaged: {lost}"]
        if not isinstance(manifest, dict):
            return Manifest(), [f"{MANIFEST} is damaged: not an object"]
        usable, faults = saved.manifest(manifest)
        return private(usable, os.path.expanduser("~")), [f"{MANIFEST}: {fault}" for fault in faults]

    def room(self, name: str) -> RunFolder:
        """A folder inside of it, made where it is missing. Raises MissingError, for a link in its place too."""
        path = self.path / name
        with _writing(path):
            if path.is_symlink():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
            path.mkdir(exist_ok=True)
        return RunFolder(path)

    def write_verdict(self, verdict: Mapping[str, Any]) -> None:
        """Write verdict.json, whole or not at all."""
        self.write_json(VERDICT, verdict)

    def write_json(self, name: str, data: Mapping[str, Any]) -> None:
        """Write a JSON file that a person can read, whole or not at all."""
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        self.write_text(name, OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text))

    def write_text(self, name: str, text: str) -> None:
        """Write a file (`report.md`, `report.html`), whole or not at all."""
        unfinished = self.path / f".{name}.{secrets.token_hex(8)}"
        with _writing(self.path):
            try:
                with open(unfinished, "xb") as file:  # exclusively: a link that somebody planted there is not followed
                    file.write(text.encode(errors="backslashreplace"))
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(self.path / name)
            finally:
                unfinished.unlink(missing_ok=True)


def _look(number: int, path: Path) -> str:
    """The command that shows why the operating system would not write to `path`."""
    there = next(folder for folder in (path, *path.parents) if os.path.exists(folder))
    look = "df -h" if number in (errno.ENOSPC, errno.EDQUOT) else "ls -l" if number == errno.EISDIR else "ls -ld"
    return f"{look} {to_paste(there)}"


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn a disk that refuses into an error that explains it."""
    try:
        yield
    except OSError as error:
        if error.errno not in CAUSES:
            raise
        raise MissingError(
            f"Cannot write results to {path}: {error.strerror}.",
            f"{CAUSES[error.errno]}{ELSEWHERE}",
            _look(error.errno, path),
        ) from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn a file that cannot be read into an error that explains it."""
    try:
        yield
    except OSError as error:
        theirs = error.errno in (errno.EACCES, errno.EPERM)
        cause = "it belongs to another user, or is read-protected" if theirs else "a path that leads nowhere"
        raise UsageError(f"Cannot read {path}: {error.strerror}.", cause, to_paste("ls", "-ld", path)) from error


def _what_it_is(path: Path) -> tuple[str, str]:
    """(why a path is not the folder of a run, what to ask for instead)."""
    if path.is_file():
        inside = (path.parent / WINDOWS).is_file()
        return "it is a file, not a folder", to_paste("./lab", "report", path.parent) if inside else "ls results/"
    if not path.is_dir():
        return "there is no such folder", "ls results/"
    if (path / BLOCKS).is_file():
        return "it holds what a browser felt, which has a report of its own", to_paste("./lab", "report", path)
    runs = sorted(found.parent for found in path.glob(f"*/{WINDOWS}"))
    if runs:
        return f"it holds {len(runs)} folders of runs" if len(runs) > 1 else "the run is in a folder of it", (
            to_paste("./lab", "report", runs[-1])
        )
    return "it is not the folder of a run", "ls results/"


def _cut_off(file: Any) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) != b"\n")
