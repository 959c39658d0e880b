"""The verdict in a terminal: at most 100 columns, every figure with its interval, clear without colour.

On a narrow terminal whole columns are left out, by name: half a figure would be worse than none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wsgilab.model import words
from wsgilab.model.metrics import METRICS, Place, shown
from wsgilab.model.outcomes import Finding, Rating
from wsgilab.model.request_row import RequestRow
from wsgilab.model.verdict import Claim, LoadRow, ServerRow, Verdict
from wsgilab.reports import by_request, notes
from wsgilab.reports.by_request import Listing

WIDTH = 100
MOST_LOG_LINES = 4
"""Of each server; report.html has more."""
MOST_REQUESTS = 24
"""By name, at each rate."""
COLUMNS = shown(Place.COLUMN)
FIGURES = ("Server\nat once", *(metric.heading for metric in COLUMNS), "Verdict")
EXPENDABLE = [metric.heading for metric in sorted(COLUMNS, key=lambda metric: -metric.left_out) if metric.left_out]
OF_REQUESTS = ("Server", "Request", *(metric.heading for metric in by_request.COLUMNS), "Its SLO")
CAPACITY = ("Server\nat once", "Capacity", "Slots allow", "CPU allows", "Limited by", "Windows", "Verdict")
STYLES = {
    Rating.GOOD: "bold green",
    Rating.BAD: "bold red",
    Rating.INCONCLUSIVE: "bold yellow",
    Finding.HOLDS: "bold green",
    Finding.DOES_NOT_HOLD: "bold red",
}


def render(verdict: Verdict, console: Console) -> None:
    """Print the verdict to `console`."""
    width = min(WIDTH, console.width)
    for part in _parts(verdict, console, width):
        console.print(part, width=width, highlight=False)


def _parts(verdict: Verdict, console: Console, width: int) -> Iterator[Any]:
    rounds = "capacity" if verdict.is_search else words.counted(verdict.rounds, "round")
    about = [verdict.workload, verdict.slo, rounds, verdict.engine, *notes.connections(verdict)]
    yield Text(" · ".join(about), "bold")
    if verdict.answer:
        yield Text(f"\n{verdict.answer[0]}", "bold")
        yield from (_indented(sentence) for sentence in verdict.answer[1:])
        yield ""
    if verdict.is_search:
        around = "Highest offered rate that keeps the SLO; below it the rates around it."
        yield Text(f"{around} {notes.floor(verdict)}".strip(), "dim")
        rows = [_capacity_cells(row) for row in verdict.servers]
        yield _fitting(CAPACITY, rows, ("Windows", "CPU allows", "Slots allow"), console, width)
    else:
        intervals = "Below each figure its 95 % interval over windows. " if verdict.has_intervals else ""
        yield Text(f"{intervals}Percentiles count every scheduled request. {notes.about_load(verdict)}", "dim")
    for rate in () if verdict.is_search else verdict.rates_rps:
        yield Text(f"\n{words.rps(rate)} offered", "bold")
        rows = [_cells(row, load) for row in verdict.servers if (load := row.at(rate))]
        yield _fitting(FIGURES, rows, EXPENDABLE, console, width)
        yield from _requests(by_request.listing(verdict, rate, MOST_REQUESTS), console, width)
    yield Text("\nVerdict", "bold")
    yield _lines((row.rating, words.stopped(f"{row.server}: {row.why}")) for row in verdict.servers)
    if verdict.answered:
        yield Text("\nThe lesson's claims", "bold")
        yield _lines((claim.result, _claim(claim)) for claim in verdict.answered)
        yield from (Padding(Text(said, "dim"), (0, 0, 0, 2)) for said in notes.not_asked(verdict))
    if verdict.void_windows:
        yield Text("\nVoid windows (kept, not counted)", "bold")
        for void in verdict.void_windows:
            yield _indented(f"{void.server}, {words.rps(void.rate_rps)}, round {void.round}: {void.reason}")
    if verdict.logs:
        yield Text("\nThe last lines that were written", "bold")
        for log in verdict.logs:
            yield _indented(f"{log.server}, {words.rps(log.rate_rps)}, round {log.round}:")
            yield from (Padding(Text(line, "dim"), (0, 0, 0, 4)) for line in log.lines[-MOST_LOG_LINES:])
    if verdict.problems:
        yield Text("\nAbout the data", "bold")
        for problem in verdict.problems:
            yield _indented(problem)


def _fitting(
    titles: Sequence[str], rows: Sequence[Sequence[Text]], expendable: Sequence[str], console: Console, width: int
) -> Group:
    """The table with as many columns as there is room for, and the names of those that were left out."""
    for count, gap in product(range(len(expendable) + 1), (1, 0)):
        gone = expendable[:count]
        table = _table(titles, rows, gone, gap)
        if Measurement.get(console, console.options.update(width=10 * WIDTH), table).maximum <= width:
            break
    return Group(table, Text(f"No room for {words.listed(gone)}: see report.html.", "dim")) if gone else Group(table)


def _table(titles: Sequence[str], rows: Sequence[Sequence[Text]], gone: Sequence[str], gap: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
    kept = [number for number, title in enumerate(titles) if title not in gone]
    for number in kept:
        table.add_column(_cell(*titles[number].split("\n")), no_wrap=True)
    for row in rows:
        table.add_row(*(row[number] for number in kept))
    return table


def _capacity_cells(row: ServerRow) -> list[Text]:
    return [
        _cell(row.server, row.at_once),
        _cell(METRICS["capacity_rps"].text(row.capacity_rps), METRICS["capacity_rps"].range(row.capacity_rps)),
        Text(words.limit(row.slots_allow_rps)),
        Text(words.limit(row.cpu_allows_rps)),
        Text(row.limited_by or words.UNKNOWN),
        Text(str(sum(load.windows for load in row.loads))),
        Text(row.rating, STYLES[row.rating]),
    ]


def _cells(row: ServerRow, load: LoadRow) -> list[Text]:
    taken = f"{load.windows}/{load.windows + load.void} valid"
    below = taken if load.void else words.counted(load.windows, "window")
    return [
        _cell(row.server, row.at_once),
        *(_cell(metric.text(load[metric.key]), metric.range(load[metric.key])) for metric in COLUMNS),
        Text.assemble((load.rating, STYLES[load.rating]), "\n", (below, "dim")),
    ]


def _requests(found: Listing | None, console: Console, width: int) -> Iterator[Any]:
    """The requests by name, a line each."""
    if found is None:
        return
    titles = OF_REQUESTS if found.has_objectives else OF_REQUESTS[:-1]
    expendable = [metric.heading for metric in by_request.EXPENDABLE]
    yield ""
    yield _fitting(titles, [_request_cells(*row) for row in found.rows], expendable, console, width)
    if found.left_out:
        yield Text(f"and {found.left_out} more: see report.html", "dim")


def _request_cells(server: str, row: RequestRow) -> list[Text]:
    figures = (Text(metric.full(row[metric.key])) for metric in by_request.COLUMNS)
    rating = Text(row.rating, STYLES[row.rating]) if row.rating else Text(words.UNKNOWN)
    return [Text(server), Text(row.request), *figures, rating]


def _cell(figure: str, below: str = "") -> Text:
    return Text.assemble(figure, "\n", (below, "dim")) if below else Text(figure)


def _claim(claim: Claim) -> str:
    return f"{claim.text}\n{claim.evidence}."


def _lines(pairs: Iterator[tuple[Rating | Finding, str]]) -> Group:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for outcome, sentence in pairs:
        grid.add_row(Text(outcome, STYLES[outcome]), Text(sentence))
    return Group(Padding(grid, (0, 0, 0, 2)))


def _indented(sentence: str) -> Padding:
    return Padding(Text(sentence), (0, 0, 0, 2))
