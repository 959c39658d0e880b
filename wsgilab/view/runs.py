"""The runs in the results folder: which there are, the one under way, and what the last one found. Reads only."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import msgspec

from wsgilab.errors import LabError, to_paste
from wsgilab.model.manifest import Manifest
from wsgilab.model.request import SEARCHES
from wsgilab.model.verdict import Verdict
from wsgilab.results.folder import BLOCKS, MANIFEST, WINDOWS, RunFolder
from wsgilab.results.judged import judge
from wsgilab.view.refusal import NotShown

REPORT = "report.html"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,120}", re.ASCII)
LARGEST_MANIFEST_BYTES = 10_000_000
LARGEST_RUN_BYTES = 50_000_000
"""Of windows.jsonl: a page that takes longer to be made than a reader waits is none."""
LARGEST_REPORT_BYTES = 20_000_000
TRIED = 6
"""So many of the newest runs are looked into for one that found something."""
KEPT = 16
"""Verdicts in memory, at most."""
PATIENCE_S = 60.0
"""Besides its windows, a run is silent for so long at most: while servers start, say."""


class _Written(msgspec.Struct):
    """What of a manifest is wanted here; the rest may be of any version."""

    started_at: Annotated[datetime, msgspec.Meta(tz=True)]
    finished_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    command: str = "run"
    workload: str = ""
    duration_s: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0
    order: tuple[tuple[int, str, float], ...] | None = None


@dataclass(frozen=True)
class Past:
    """One run, as its folder tells."""

    name: str
    command: str
    workload: str
    started_at: datetime
    finished_at: datetime | None
    has_report: bool


@dataclass(frozen=True)
class Progress:
    """The run under way."""

    name: str
    done: int
    planned: int | None
    """None for a search, which finds its own rates."""
    server: str | None
    """Whose window is next, or under way; None where nobody knows yet."""
    rate_rps: float | None
    round: int | None
    servers: tuple[str, ...]
    """Those that take part."""
    unit: str = "window"
    """What is counted: `block` where a browser clicks."""


@dataclass(frozen=True)
class Found:
    """What a finished run found."""

    name: str
    verdict: Verdict
    manifest: Manifest


class Runs:
    """The results folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._judged: dict[tuple[str, int, int], Found | None] = {}
        self._turn = threading.Lock()

    def newest(self, most: int) -> list[Past]:
        """The newest runs first; one whose manifest does not tell when it began is no reason to show none."""
        found: list[Past] = []
        for path, written in self._written():
            if len(found) == most:
                break
            report = (path / REPORT).is_file()
            found.append(
                Past(path.name, written.command, written.workload, written.started_at, written.finished_at, report)
            )
        return found

    def under_way(self) -> Progress | None:
        """The newest run, where it has not ended and was heard of lately: one that was killed never ends."""
        for path, written in self._written():
            silent_s = time.time() - _touched(path)
            if written.finished_at is not None or silent_s > PATIENCE_S + 2 * written.duration_s:
                return None
            return _progress(path, written)
        return None

    def last(self) -> Found | None:
        """What the newest run with a table of servers found; None where there is none yet."""
        tried = 0
        for path, written in self._written():
            if written.finished_at is None or written.command in (*SEARCHES, "vitals"):
                continue
            found = self._found(path)
            if found:
                return found
            tried += 1
            if tried == TRIED:
                break
        return None

    def report(self, name: str) -> bytes:
        """A run's report.html. Raises NotShown."""
        path, again = self.folder / name / REPORT, "ls results"
        try:
            if NAME.fullmatch(name) and path.with_name(MANIFEST).is_file():
                again = f"./lab report results/{to_paste(name)}"
            inside = path.resolve().is_relative_to(self.folder.resolve())  # no link leads out of it
            if NAME.fullmatch(name) and inside and path.is_file() and path.stat().st_size <= LARGEST_REPORT_BYTES:
                return path.read_bytes()
        except OSError:
            pass
        what = f"There is no report of a run '{name:.80}'."
        raise NotShown(HTTPStatus.NOT_FOUND, what, again)

    def _written(self) -> Iterator[tuple[Path, _Written]]:
        """Each run's folder and manifest, the newest first."""
        for path in sorted(self.folder.glob(f"*/{MANIFEST}"), key=_age_and_name, reverse=True):
            written = _read(path)
            if written and NAME.fullmatch(path.parent.name):
                yield path.parent, written

    def _found(self, path: Path) -> Found | None:
        """The verdict, judged once for each state of the folder; None where the run has none."""
        try:
            seen = (path / WINDOWS).stat()
            if seen.st_size > LARGEST_RUN_BYTES:
                return None
            key = (path.name, seen.st_mtime_ns, (path / MANIFEST).stat().st_mtime_ns)
            with self._turn:
                if key not in self._judged:
                    if len(self._judged) >= KEPT:
                        self._judged.clear()
                    self._judged[key] = _judged_anew(path)
                return self._judged[key]
        except (OSError, LabError):
            return None


def _age_and_name(path: Path) -> tuple[int, str]:
    """By which runs are ordered: a folder that somebody named says nothing about its time."""
    try:
        return path.stat().st_mtime_ns, path.parent.name
    except OSError:
        return 0, path.parent.name


def _read(path: Path) -> _Written | None:
    """What a manifest says of the run; None where it is damaged."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_MANIFEST_BYTES:
            return None
        return msgspec.json.decode(path.read_bytes(), type=_Written)
    except (OSError, ValueError, RecursionError):
        return None


def _touched(path: Path) -> float:
    """When the run last wrote something, in epoch seconds."""
    times = []
    for name in (MANIFEST, WINDOWS, BLOCKS):
        try:
            times.append((path / name).stat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)


def _progress(path: Path, written: _Written) -> Progress:
    try:
        with open(path / (BLOCKS if written.command == "vitals" else WINDOWS), "rb") as file:
            done = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    except OSError:
        done = 0
    order, unit = written.order, "block" if written.command == "vitals" else "window"
    if order is None:
        return Progress(path.name, done, None, None, None, None, ())
    servers = tuple(dict.fromkeys(server for _, server, _ in order))
    number, server, rate = order[done] if done < len(order) else (None, None, None)
    return Progress(path.name, done, len(order), server, rate, number, servers, unit)


def _judged_anew(path: Path) -> Found | None:
    saved = RunFolder.open(path)
    (windows, problems), (manifest, more) = saved.read(), saved.read_manifest()
    verdict = judge(windows, manifest, (*problems, *more))
    return Found(path.name, verdict, manifest) if verdict.rates_rps else None
