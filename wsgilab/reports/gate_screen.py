"""A gate in a terminal, on one screen: what came of it, then every check with its numbers, the failed ones first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsgilab.model import words
from wsgilab.model.gate import WORST_FIRST, Check, Gate
from wsgilab.model.outcomes import Outcome
from wsgilab.model.verdict import Verdict
from wsgilab.reports import notes

WIDTH = 100
MOST_LINES = 18
"""Checks that fit on a screen: where there are more, those that passed are only counted."""
STYLES = {
    Outcome.PASSED: "bold green",
    Outcome.MISSED: "bold red",
    Outcome.WORSE: "bold red",
    Outcome.NOISY: "bold yellow",
    Outcome.NOT_JUDGED: "dim",
}


def render(gate: Gate, verdict: Verdict, console: Console) -> None:
    """Print the gate to `console`."""
    width = min(WIDTH, console.width)
    about = [verdict.workload, gate.slo, words.counted(verdict.rounds, "round"), verdict.engine]
    about += notes.connections(verdict)
    if gate.against:
        about.append(f"against {gate.against}, tolerance {gate.tolerance * 100:g} %")
    console.print(Text(" · ".join(about), "bold"), width=width, highlight=False)
    console.print(Text.assemble("\n", (gate.outcome, STYLES[gate.outcome]), f"  {gate.summary}\n"), width=width)
    checks = sorted(gate.checks, key=lambda check: ORDER.index(check.outcome))
    shown = [check for check in checks if check.outcome is not Outcome.PASSED or len(checks) <= MOST_LINES]
    console.print(_table(shown), width=width, highlight=False)
    if passed := len(checks) - len(shown):
        console.print(Text(f"and {words.counted(passed, 'check')} passed", "dim"), width=width)
    if gate.against:
        console.print(Text("\nChanges are after ÷ before, with 95 % intervals.", "dim"), width=width)


def _table(checks: Sequence[Check]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in checks:
        grid.add_row(Text(check.outcome, STYLES[check.outcome]), Text(check.place), Text(check.sentence))
    return grid


ORDER = (*WORST_FIRST, Outcome.NOT_JUDGED)
