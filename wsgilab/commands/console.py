"""What is printed where: tables for people and JSON for scripts on standard output, the rest on standard error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.commands import environment
from wsgilab.commands.grammar import for_this_command
from wsgilab.commands.streams import ShownConsole
from wsgilab.errors import LabError
from wsgilab.model.gate import Gate
from wsgilab.model.verdict import Verdict
from wsgilab.model.vitals import VitalsVerdict
from wsgilab.reports import gate_screen, terminal, tuning_screen, vitals
from wsgilab.reports.files import READY
from wsgilab.results.together import Together

WIDTH, MOST_COLUMNS = 100, 10_000
FILES = (
    *("tuning.json", "tunings.json", "gate.json", "report.html", "report.md", "verdict.json", "vitals.json"),
    *("windows.jsonl", "blocks.jsonl"),
)


def console(stream: IO[str]) -> Console:
    """Colours only on a terminal; as wide as COLUMNS or the terminal says, 100 columns where neither does."""
    return ShownConsole(stream, _width(stream))


def say(text: LabError | str) -> None:
    """A line, or the three parts of an error, on standard error."""
    told = for_this_command(text) if isinstance(text, LabError) else text
    print(f"lab: {told}", file=sys.stderr, flush=True)


def show_json(data: Any) -> None:
    """JSON on standard output."""
    print(json.dumps(data, indent=2))


def show_verdict(verdict: Verdict, folder: Path | None) -> None:
    """Print the verdict's table, where the rest of it is, if it could be written, and what to do next."""
    terminal.render(verdict, console(sys.stdout))
    _show_last(folder)


def show_gate(gate: Gate, verdict: Verdict, folder: Path | None) -> None:
    """Print what came of a gate, and where all of it is."""
    gate_screen.render(gate, verdict, console(sys.stdout))
    _show_last(folder)


def show_vitals(verdict: VitalsVerdict, folder: Path | None) -> None:
    """Print what a browser felt, and where all of it is."""
    vitals.render(verdict, console(sys.stdout))
    _show_last(folder)


def show_tuning(tuning: Tuning | None, verdict: Verdict, folder: Path | None) -> None:
    """Print what a tuning recommends, and where all of it is."""
    if tuning:
        tuning_screen.render(tuning, verdict, console(sys.stdout))
    _show_last(folder)


def show_together(together: Together) -> None:
    """Print which of several tunings is the best of all, and where their common page is."""
    out = console(sys.stdout)
    out.print()
    for sentence in together.sentences:
        out.print(sentence, width=min(WIDTH, out.width), markup=False, highlight=False)
    _show_last(None if together.trouble else together.folder)


def _show_last(folder: Path | None) -> None:
    out = console(sys.stdout)
    last = [_kept(folder)] if folder else []
    last += [environment.next_steps()] if environment.next_steps() else []
    for text in last:
        out.print(f"\n{text}", soft_wrap=True, markup=False, highlight=False)


def _kept(folder: Path) -> str:
    there = [name for name in FILES if (folder / name).is_file()]  # a disk may have been full
    there += [f"{READY}/"] if (folder / READY).is_dir() else []
    return f"Kept in {environment.as_seen_from_the_host(folder)}: {', '.join(there)}"


def _width(stream: IO[str]) -> int | None:
    asked = environment.columns()
    if asked.isdecimal() and 0 < int(asked) <= MOST_COLUMNS:
        return int(asked)
    # None: whatever the terminal is resized to. Rich would take a COLUMNS of 0 at its word, and show nothing.
    return None if stream.isatty() and not asked else WIDTH
