"""The figures of a run that is under way, for a terminal: one window in a sentence, a round as a small table."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from wsgilab.analysis import stats
from wsgilab.model import words
from wsgilab.model.verdict import LoadRow, Verdict
from wsgilab.model.window import Window


def sentence(window: Window) -> str:
    """`p50 23 ms, p99 25 ms, 100 rps served`, or why there is nothing to say."""
    if window.died or window.void:
        return f"{window.plan.server} {'died' if window.died else 'void'}"
    p50, p99 = (words.duration(stats.percentile_ms(window, percentile)) for percentile in (50, 99))
    goodput = stats.goodput_rps(window)
    served = f", {goodput:.0f} rps served" if goodput is not None else ""
    return f"{window.plan.server} p50 {p50}, p99 {p99}{served}"


def table(verdict: Verdict, title: str) -> Table:
    """A row for each server, a column for each rate: p50, p99 and served rate of the valid windows so far."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False)
    made.add_column("p50, p99, served")
    for rate in verdict.rates_rps:
        made.add_column(f"{words.rps(rate)} offered", no_wrap=True)
    for row in verdict.servers:
        made.add_row(row.server, *(_cell(row.at(rate)) for rate in verdict.rates_rps))
    return made


def _cell(load: LoadRow | None) -> Text:
    if load is None or not load.windows:
        return Text("–", "dim")
    p50, p99 = words.duration(load["p50_ms"]), words.duration(load["p99_ms"])
    return Text(f"{p50}, {p99}, {words.amount(load['goodput_rps'], 'rps', 0)}")
