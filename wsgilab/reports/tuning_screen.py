"""A tuning in a terminal, on one screen: the advice, then what was measured next to what was predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model.verdict import Verdict
from wsgilab.reports import tuning_notes, tuning_tables

WIDTH = 100
MOST_SETTINGS, MOST_VOID = 10, 3
"""That fit on a screen with all else; report.html has the others."""
LEFT_OUT = ("Windows", "Remarks")
"""Columns that report.html has."""


def render(tuning: Tuning, verdict: Verdict, console: Console) -> None:
    """Print the tuning to `console`."""
    width = min(WIDTH, console.width)
    for part in _parts(tuning, verdict):
        console.print(part, width=width, highlight=False)


def _parts(tuning: Tuning, verdict: Verdict) -> Iterator[Any]:
    yield Text(
        f"{tuning_notes.program(tuning)} · {verdict.workload} · {verdict.slo} · {tuning_notes.took(tuning)}", "bold"
    )
    yield Text(f"\n{tuning.advice.answer}", "bold green" if tuning.setting else "bold red")
    for sentence in (*tuning.advice.compared, *tuning.advice.limit, *tuning.advice.sure):
        yield _indented(sentence)
    for title, sentences in (("Predicted, not measured", tuning.advice.predictions), ("To avoid", tuning.advice.avoid)):
        if sentences:
            yield Text(f"\n{title}", "bold")
            yield from map(_indented, sentences)
    if tuning.contenders:
        yield ""
        yield _table(tuning_tables.COMPARED, tuning_tables.compared(tuning))
    yield ""
    yield _tried(tuning)
    if verdict.void_windows:
        yield Text("\nVoid windows (kept, not counted)", "bold")
        yield from map(_indented, tuning_notes.void(verdict, MOST_VOID))
    if verdict.problems:
        yield Text("\nAbout the data", "bold")
        yield from map(_indented, verdict.problems)


def _tried(tuning: Tuning) -> Table:
    """The best settings that were tried and lived."""
    best = [point for point in tuning.measured if not point.died][:MOST_SETTINGS]
    return _table(tuning_tables.TRIED, tuning_tables.tried(best))


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    kept = [number for number, title in enumerate(titles) if title not in LEFT_OUT]
    for number in kept:
        table.add_column(titles[number], overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(row[number]) for number in kept))
    return table


def _indented(sentence: str) -> Padding:
    return Padding(Text(sentence), (0, 0, 0, 2))
