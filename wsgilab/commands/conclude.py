"""From saved windows to a verdict, its files, and what the terminal shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from rich.console import Console

from wsgilab.analysis.capacity import Goal
from wsgilab.analysis.pipeline import RunFacts, analyse
from wsgilab.commands.options import DEFAULT_SLO
from wsgilab.commands.streams import ShownConsole
from wsgilab.errors import UsageError
from wsgilab.lab.servers import parse_cpus
from wsgilab.model import slo
from wsgilab.model.controls import each_text, visible
from wsgilab.model.manifest import Manifest
from wsgilab.model.privacy import without_home
from wsgilab.model.server import ServerFacts
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window
from wsgilab.reports import html, markdown, terminal
from wsgilab.results.folder import RunFolder

WIDTH, MOST_COLUMNS = 100, 10_000
FILES = ("report.html", "report.md", "verdict.json", "windows.jsonl")


def save(folder: RunFolder, windows: Sequence[Window], manifest: Manifest, problems: Sequence[str]) -> Verdict:
    """Write verdict.json, report.md and report.html from windows and manifest alone, and give the verdict."""
    verdict = judge(windows, manifest, problems)
    folder.write_verdict(verdict.to_json())
    folder.write_text("report.md", markdown.render(verdict, manifest))
    folder.write_text("report.html", html.render(verdict, manifest))
    return verdict


def judge(windows: Sequence[Window], manifest: Manifest, problems: Sequence[str]) -> Verdict:
    """The verdict on a run, from what it left behind.

    No text in it holds a character that is obeyed, not shown, or where its user is at home.
    """
    home = os.path.expanduser("~")
    pinning = [manifest.not_pinned] if manifest.not_pinned else []
    found = analyse(windows, _facts(manifest), [*problems, *pinning])
    return each_text(found, lambda text: without_home(visible(text), home))


def _facts(manifest: Manifest) -> RunFacts:
    return RunFacts(
        ServerFacts.from_manifest(manifest),
        slo.parse(manifest.slo or DEFAULT_SLO),
        command=manifest.command or "run",
        engine=manifest.engine or "unknown",
        workload=manifest.workload or "unknown",
        rounds=manifest.rounds or 0,
        rates_rps=manifest.rates_rps,
        cores=_server_cores(manifest),
        goal=Goal.from_json(manifest.search) if manifest.command == "capacity" else None,
    )


def _server_cores(manifest: Manifest) -> int:
    """How many CPUs the servers shared; one where the manifest does not say."""
    try:
        return len(parse_cpus("SERVER_CPUS", manifest.cpu_sets["servers"]))
    except (KeyError, UsageError):
        return 1


def show(verdict: Verdict, folder: RunFolder | None) -> None:
    """Print the verdict's table, and where the rest of it is, if it could be written."""
    out = console(sys.stdout)
    terminal.render(verdict, out)
    if folder is None:
        return
    kept = [name for name in FILES if (folder.path / name).is_file()]  # a disk may have been full
    out.print(
        f"\nKept in {_as_seen_from_the_host(folder.path)}: {', '.join(kept)}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )


def _as_seen_from_the_host(path: Path) -> Path:
    """In a container, results are somewhere else than the person who looks for them would find them."""
    inside, outside = os.environ.get("LAB_RESULTS"), os.environ.get("LAB_RESULTS_OUTSIDE")
    if inside and outside and path.is_relative_to(inside):
        return Path(outside) / path.relative_to(inside)
    return path


def console(stream: IO[str]) -> Console:
    """Colours only on a terminal; as wide as COLUMNS or the terminal says, 100 columns where neither does."""
    return ShownConsole(stream, _width(stream))


def _width(stream: IO[str]) -> int | None:
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and 0 < int(asked) <= MOST_COLUMNS:
        return int(asked)
    # None: whatever the terminal is resized to. Rich would take a COLUMNS of 0 at its word, and show nothing.
    return None if stream.isatty() and not asked else WIDTH
