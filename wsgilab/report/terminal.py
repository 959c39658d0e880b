"""The verdict in a terminal: at most 100 columns, every figure with its interval, clear without colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wsgilab.report import words
from wsgilab.report.rows import BAD, DOES_NOT_HOLD, GOOD, HOLDS, INCONCLUSIVE, Claim, LoadRow, ServerRow, Verdict

WIDTH = 100
STYLES = {
    GOOD: "bold green",
    BAD: "bold red",
    INCONCLUSIVE: "bold yellow",
    HOLDS: "bold green",
    DOES_NOT_HOLD: "bold red",
}


def render(verdict: Mapping[str, Any], console: Console) -> None:
    """Print verdict.json to `console`."""
    said = Verdict.from_json(verdict)
    width = min(WIDTH, console.width)
    for part in _parts(said, console, width):
        console.print(part, width=width, highlight=False)


def _parts(verdict: Verdict, console: Console, width: int) -> Iterator[Any]:
    rounds = "capacity" if verdict.is_search else words.counted(verdict.rounds, "round")
    yield Text(f"{verdict.workload} · {verdict.slo} · {rounds} · {verdict.engine}", "bold")
    if verdict.is_search:
        yield Text("Highest offered rate that keeps the SLO; below it the rates around it.", "dim")
        yield _capacity_table(verdict)
    else:
        yield Text(
            "Below each figure its 95 % interval over windows. Percentiles count every scheduled request.", "dim"
        )
    for rate in () if verdict.is_search else verdict.rates_rps:
        yield Text(f"\n{words.rps(rate)} offered", "bold")
        roomy = _rate_table(verdict, rate, gap=1)
        wanted = Measurement.get(console, console.options.update(width=10 * WIDTH), roomy).maximum
        yield roomy if wanted <= width else _rate_table(verdict, rate, gap=0)
    yield Text("\nVerdict", "bold")
    yield _lines((row.verdict, f"{row.server}: {row.why}.") for row in verdict.servers)
    if verdict.claims:
        yield Text("\nThe lesson's claims", "bold")
        yield _lines((claim.result, _claim(claim)) for claim in verdict.claims)
    if verdict.void_windows:
        yield Text("\nVoid windows (kept, not counted)", "bold")
        for void in verdict.void_windows:
            yield _indented(f"{void.server}, {words.rps(void.rate_rps)}, round {void.round}: {void.reason}")
    if verdict.problems:
        yield Text("\nAbout the data", "bold")
        for problem in verdict.problems:
            yield _indented(problem)


def _rate_table(verdict: Verdict, rate_rps: float, gap: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(_cell("Server", "at once"), no_wrap=True)
    for title in ("p50", "p95", "p99", "Served", "Failed", "CPU/req.", "Memory"):
        table.add_column(title, no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    for row in verdict.servers:
        load = row.at(rate_rps)
        if load is not None:
            table.add_row(*_cells(row, load))
    return table


def _capacity_table(verdict: Verdict) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for title in ("Server", "Capacity", "Slots allow", "CPU allows", "Binds", "Windows", "Verdict"):
        table.add_column(_cell(title, "at once") if title == "Server" else title, no_wrap=True)
    for row in verdict.servers:
        table.add_row(
            _cell(row.server, row.concurrency),
            _cell(words.capacity(row.capacity_rps), words.capacity_range(row.capacity_rps)),
            words.limit(row.slots_allow_rps),
            words.limit(row.cpu_allows_rps),
            row.binds or words.UNKNOWN,
            str(sum(load.windows for load in row.loads)),
            Text(row.verdict, STYLES[row.verdict]),
        )
    return table


def _cells(row: ServerRow, load: LoadRow) -> Iterator[Text]:
    yield _cell(row.server, row.concurrency)
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        yield _cell(words.duration(load[name]), words.duration_range(load[name]))
    yield _cell(words.amount(load["goodput_rps"], "rps", 0), words.amount_range(load["goodput_rps"], 0))
    yield _cell(words.percent(load["failed_ratio"]), words.percent_range(load["failed_ratio"]))
    yield _cell(words.amount(load["cpu_ms_per_request"], "ms"), words.amount_range(load["cpu_ms_per_request"]))
    yield _cell(words.amount(load["memory_mb"], "MB", 0), words.amount_range(load["memory_mb"], 0))
    taken = f"{load.windows}/{load.windows + load.void} valid"
    below = taken if load.void else words.counted(load.windows, "window")
    yield Text.assemble((load.verdict, STYLES[load.verdict]), "\n", (below, "dim"))


def _cell(figure: str, below: str) -> Text:
    return Text.assemble(figure, "\n", (below, "dim"))


def _claim(claim: Claim) -> str:
    return f"{claim.text}\n{claim.evidence}."


def _lines(pairs: Iterator[tuple[str, str]]) -> Group:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for outcome, sentence in pairs:
        grid.add_row(Text(outcome, STYLES[outcome]), Text(sentence))
    return Group(Padding(grid, (0, 0, 0, 2)))


def _indented(sentence: str) -> Padding:
    return Padding(Text(sentence), (0, 0, 0, 2))
