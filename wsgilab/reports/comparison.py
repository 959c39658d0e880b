"""What changed between two runs, as a terminal table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsgilab.analysis.comparison import Change
from wsgilab.model import words
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import METRICS
from wsgilab.model.outcomes import Shift

ERRS = 0.05
"""How often a 95 % interval misses 1 though nothing changed."""
INTERVALS = "Second ÷ first, with a 95 % interval over windows (Welch). "
CAUTION = (
    "Two runs also differ by what happened to the machine between them; a variant in the same run is the sharper "
    "comparison: ./lab run --variant."
)


def render(changes: Sequence[Change], notes: Sequence[str], console: Console) -> None:
    """Print what changed, every figure that both runs have, and what was set differently or could not be compared."""
    for line in _summary(changes):
        console.print(line, highlight=False)
    for rate in sorted({change.rate_rps for change in changes}):
        console.print(Text(f"\n{words.rps(rate)} offered" if rate else "\nCapacity", "bold"))
        console.print(_table([change for change in changes if change.rate_rps == rate]), highlight=False)
    console.print()
    for note in notes:
        console.print(note, markup=False, highlight=False)
    console.print(Text(f"{INTERVALS if _has_intervals(changes) else ''}{CAUTION}", "dim"), highlight=False)


def _has_intervals(changes: Sequence[Change]) -> bool:
    return any(change.ratio and (change.ratio.low or change.ratio.high) for change in changes)


def _summary(changes: Sequence[Change]) -> Iterator[Text]:
    """Each change that is shown, and how many to expect where nothing changed."""
    if not changes:
        yield Text("The runs share no server at any rate.", "bold")
        return
    compared = words.counted(len(changes), "figure")
    shown = [change for change in changes if change.result != Shift.NOT_SHOWN]
    if not shown and not _has_intervals(changes):
        yield Text(
            f"No change can be shown in {compared}: none has an interval, so any difference may be chance.", "bold"
        )
        return
    if not shown:
        yield Text(f"No change is shown in {compared}.", "bold")
        return
    yield Text(f"What changed, in {compared}:", "bold")
    for change in shown:
        at = f" at {words.rps(change.rate_rps)}" if change.rate_rps else ""
        what = f"{METRICS[change.metric].name} is {change.result}, {words.full_ratio(change.ratio)} times the first"
        yield Text(f"  {change.server}{at}: {what}")
    chance = len(changes) * ERRS
    if chance >= 1:
        yield Text(f"Even if nothing had changed, about {chance:.0f} of so many would be called different.", "dim")


def _table(changes: Sequence[Change]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for title in ("Server", "", "First", "Second", "Ratio", "Second is"):
        table.add_column(title, no_wrap=True)
    shown = ""
    for change in changes:
        table.add_row(*_cells(change, first=change.server != shown))
        shown = change.server
    return table


def _cells(change: Change, first: bool) -> Iterator[Text]:
    yield Text(change.server if first else "", "bold")
    yield Text(METRICS[change.metric].name)
    yield _figure(change.metric, change.before)
    yield _figure(change.metric, change.after)
    yield _two_lines(words.ratio(change.ratio), words.amount_range(change.ratio))
    yield _second_is(change)


def _second_is(change: Change) -> Text:
    """`lower`, and what that means."""
    if change.result == Shift.NOT_SHOWN:
        return Text(change.result, "dim")
    better = METRICS[change.metric].lower_is_better == (change.result == Shift.LOWER)
    return _two_lines(change.result, "better" if better else "worse")


def _figure(metric: str, figure: Interval | None) -> Text:
    return _two_lines(METRICS[metric].text(figure), METRICS[metric].range(figure))


def _two_lines(figure: str, below: str) -> Text:
    return Text.assemble(figure, "\n", (below, "dim")) if below else Text(figure)
