"""A tuning in a terminal, on one screen: the advice, then what was measured next to what was predicted."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsgilab.analysis.tuning import advice
from wsgilab.analysis.tuning.landscape import Point
from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model import words

WIDTH = 100
MOST_LINES = 14
"""Settings that fit on a screen; tuning.json has all of them."""


def render(tuning: Tuning, console: Console) -> None:
    """Print the tuning to `console`."""
    width = min(WIDTH, console.width)
    first, *rest = tuning.sentences
    console.print(Text(first, "bold green" if tuning.setting else "bold red"), width=width)
    for sentence in rest:
        console.print(Text(sentence), width=width)
    if tuning.problem:
        console.print(Text(tuning.problem, "yellow"), width=width)
    console.print(_table(_shown(tuning.points)), width=width, highlight=False)


def _shown(points: Sequence[Point]) -> list[Point]:
    """Those that were measured, the best first."""
    measured = [point for point in points if point.windows]
    return sorted(measured, key=lambda point: (-_reached(point), point.setting))[:MOST_LINES]


def _reached(point: Point) -> float:
    return point.capacity_rps.value if point.capacity_rps else point.kept_rps or 0.0


def _table(points: Sequence[Point]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("setting", "capacity", "kept", "missed", "predicted at most", "memory", ""):
        table.add_column(name, justify="left" if name in ("setting", "") else "right", overflow="fold")
    for point in points:
        capacity = words.with_range(words.amount(point.capacity_rps, "rps"), words.amount_range(point.capacity_rps))
        table.add_row(
            advice.in_words(point.setting),
            capacity if point.capacity_rps else "",
            _rate(point.kept_rps),
            _rate(point.missed_rps),
            f"{words.limit(point.predicted_rps)}" if point.predicted_rps else "",
            f"{words.number(point.memory_mb)} MB" if point.memory_mb is not None else "",
            Text(point.died, "red"),
        )
    return table


def _rate(rate: float | None) -> str:
    return "" if rate is None else words.rps(rate)
