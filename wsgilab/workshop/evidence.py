"""What somebody has measured since they began: saved runs, and what an exercise's own script or a browser saved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wsgilab.errors import UsageError
from wsgilab.model.manifest import Manifest
from wsgilab.model.verdict import LoadRow, ServerRow, Verdict
from wsgilab.model.vitals import VitalsVerdict
from wsgilab.model.window import Window
from wsgilab.results.folder import RunFolder
from wsgilab.results.judged import judge
from wsgilab.results.vitals import holds_blocks, judge_vitals, read_blocks

WORKSHOP = "workshop"
"""The folder below results/ that is the workshop's own."""
NEWEST_RUNS = 40
"""Older ones are not looked at: a check should take a second or two."""
LARGEST_RECORD_BYTES = 50_000_000
HAR = "har"


@dataclass(frozen=True)
class Run:
    """A saved run, judged."""

    name: str
    """Its folder's."""
    windows: tuple[Window, ...]
    manifest: Manifest
    verdict: Verdict

    @property
    def workload(self) -> str:
        """What was asked for: `mix`, or a path."""
        return self.verdict.workload

    @property
    def rows(self) -> tuple[ServerRow, ...]:
        """Every server of it, in the order of the report."""
        return self.verdict.servers

    def row(self, server: str) -> ServerRow | None:
        """The server of that name."""
        return next((row for row in self.rows if row.server == server), None)

    def family(self, server: str) -> tuple[ServerRow, ...]:
        """A server and its variants."""
        return tuple(row for row in self.rows if server in (row.server, row.variant_of))

    def windows_of(self, server: str) -> tuple[Window, ...]:
        """Its valid windows."""
        return tuple(window for window in self.windows if window.plan.server == server and window.void is None)

    def voids(self, *servers: str) -> tuple[str, ...]:
        """Why windows are void; of these servers, or of all."""
        return tuple(
            f"{void.server}: {void.reason}"
            for void in self.verdict.void_windows
            if not servers or void.server in servers
        )


@dataclass(frozen=True)
class Record:
    """What was saved besides runs."""

    kind: str
    """`har` for what a browser exported, else what the file says itself."""
    name: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Felt:
    """What a browser felt in a run of `./lab vitals`, judged."""

    name: str
    """Its folder's."""
    verdict: VitalsVerdict


@dataclass(frozen=True)
class Evidence:
    """Everything that a check may look at, the newest first."""

    runs: tuple[Run, ...] = ()
    records: tuple[Record, ...] = ()
    felt: tuple[Felt, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was measured."""
        return not (self.runs or self.records or self.felt)

    def records_of(self, kind: str) -> tuple[Record, ...]:
        """Those of one kind."""
        return tuple(record for record in self.records if record.kind == kind)


def measured(row: ServerRow | None) -> tuple[LoadRow, ...]:
    """The loads of a server that have a valid window, or in which it died; none where it was not there."""
    return tuple(load for load in row.loads if load.windows or load.deaths) if row else ()


def read(results: Path, since: datetime | None = None) -> Evidence:
    """The newest of what is below `results` and not older than `since`. What cannot be read is no evidence."""
    return Evidence(
        tuple(_runs(results, since)), tuple(_records(results / WORKSHOP, since)), tuple(_felt(results, since))
    )


def read_run(folder: Path) -> Run:
    """One saved run. Raises UsageError where there is none."""
    saved = RunFolder.open(folder)
    manifest, _ = saved.read_manifest()
    windows, problems = saved.read()
    return Run(folder.name, tuple(windows), manifest, judge(windows, manifest, problems))


def _runs(results: Path, since: datetime | None) -> Iterator[Run]:
    for folder in _recent(results, since):
        try:
            run = read_run(folder)
        except UsageError:
            continue
        if run.windows and not _began_before(run.manifest, since):
            yield run


def _felt(results: Path, since: datetime | None) -> Iterator[Felt]:
    for folder in filter(holds_blocks, _recent(results, since)):
        try:
            blocks, problems = read_blocks(folder)
        except UsageError:
            continue
        manifest, more = RunFolder(folder).read_manifest()
        if blocks and not _began_before(manifest, since):
            yield Felt(folder.name, judge_vitals(blocks, manifest, [*problems, *more]))


def _recent(results: Path, since: datetime | None) -> list[Path]:
    newest = sorted(results.glob("*/manifest.json"), key=_changed, reverse=True)
    recent = [path.parent for path in newest if since is None or _changed(path) >= since.timestamp()]
    return recent[:NEWEST_RUNS]


def _began_before(manifest: Manifest, since: datetime | None) -> bool:
    """Whether a run was under way when somebody began anew. One that does not tell its start is taken by its file."""
    try:
        began = datetime.fromisoformat(manifest.started_at or "")
    except ValueError:
        return False
    return since is not None and began.astimezone(UTC) < since.replace(microsecond=0)


def _records(folder: Path, since: datetime | None) -> Iterator[Record]:
    paths = sorted((*folder.glob("*.har"), *folder.glob("*-*.json")), key=_changed, reverse=True)
    for path in paths:
        if since is not None and _changed(path) < since.timestamp():
            continue
        try:
            if path.stat().st_size > LARGEST_RECORD_BYTES:
                continue
            data = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(data, dict):
            yield Record(HAR if path.suffix == ".har" else str(data.get("kind", "")), path.name, data)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it has just gone
        return 0.0
