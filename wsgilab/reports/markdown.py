"""The verdict as Markdown that fits a pull-request comment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from wsgilab.model import words
from wsgilab.model.manifest import Manifest
from wsgilab.model.metrics import METRICS, Place, shown
from wsgilab.model.outcomes import Finding, Rating
from wsgilab.model.request_row import RequestRow
from wsgilab.model.verdict import LoadRow, ServerRow, Verdict
from wsgilab.reports import by_request, notes
from wsgilab.reports.by_request import Listing
from wsgilab.reports.markup import Marked, bold, code, plain

MOST_REQUESTS = 40
"""By name, at each rate: a comment has room for so many characters."""
MARKS = {Rating.GOOD: "✅", Rating.BAD: "❌", Finding.HOLDS: "✅", Finding.DOES_NOT_HOLD: "❌"}
"""Next to the word, never instead of it."""
COLUMNS = shown(Place.COLUMN)
FIGURES = ("Server", "At once", *(metric.label for metric in COLUMNS), "Verdict")
OF_REQUESTS = ("Server", "Request", *(metric.label for metric in by_request.COLUMNS), "Its SLO")
CAPACITY = ("Server", "At once", "Capacity (rates around it)", "Slots allow", "CPU allows", "Limited by", "Verdict")


def render(verdict: Verdict, manifest: Manifest) -> str:
    """report.md, from the verdict and manifest.json."""
    return "\n".join(_lines(verdict, manifest)) + "\n"


def _lines(verdict: Verdict, manifest: Manifest) -> Iterator[str]:
    yield "# WSGI Lab: how the same Flask app was served\n"
    if verdict.answer:
        yield f"{bold(verdict.answer[0])} {plain(' '.join(verdict.answer[1:]))}".rstrip() + "\n"
    connections = notes.connections(verdict)
    if verdict.is_search:
        where = ", ".join([f"Workload {code(verdict.workload)}", f"engine {code(verdict.engine)}", *connections])
        yield f"{where}: highest rate that keeps {code(verdict.slo)}.\n"
        if said := notes.about_load(verdict):
            yield f"{plain(said)}\n"
        yield from table(CAPACITY, (_capacity_cells(row) for row in verdict.servers))
    else:
        intervals = " In parentheses: 95 % intervals over windows." if verdict.has_intervals else ""
        yield (
            f"Workload {code(verdict.workload)}, SLO {code(verdict.slo)}, {words.counted(verdict.rounds, 'round')}, "
            f"{', '.join([f'engine {code(verdict.engine)}', *connections])}.{intervals}\n"
        )
        yield f"{plain(notes.about_load(verdict))}\n"
    for rate in () if verdict.is_search else verdict.rates_rps:
        yield f"## {words.rps(rate)} offered\n"
        rows = [(row, load) for row in verdict.servers if (load := row.at(rate))]
        yield from table(FIGURES, (_cells(row, load) for row, load in rows))
        yield from _requests(by_request.listing(verdict, rate, MOST_REQUESTS))
    yield "## Verdict\n"
    yield from (
        f"- {_marked(row.rating)} · {bold(row.server)}: {plain(words.stopped(row.why))}" for row in verdict.servers
    )
    yield ""
    yield from _details(verdict, manifest)


def _details(verdict: Verdict, manifest: Manifest) -> Iterator[str]:
    if verdict.answered:
        yield "## The lesson's claims\n"
        held = ((claim.text, _marked(claim.result), f"{claim.evidence}.") for claim in verdict.answered)
        yield from table(("Claim", "Result", "Evidence"), held)
        yield from (f"{plain(said)}\n" for said in notes.not_asked(verdict))
    if rows := notes.turns(verdict):
        yield "## Taking turns\n"
        yield from table(notes.TURNS, rows)
    yield "## Void windows\n"
    for void in verdict.void_windows:
        yield f"- {plain(void.server)}, {words.rps(void.rate_rps)}, round {void.round}: {plain(void.reason)}"
    yield "" if verdict.void_windows else "None.\n"
    if verdict.logs:
        yield "<details><summary>The last lines that servers wrote</summary>\n"
        for log in verdict.logs:
            yield f"- {plain(log.server)}, {words.rps(log.rate_rps)}, round {log.round}:"
            yield from (f"    - {code(line)}" for line in log.lines)
        yield "\n</details>\n"
    if verdict.problems:
        yield "## About the data\n"
        yield from (f"- {plain(problem)}" for problem in verdict.problems)
        yield ""
    yield from method_and_machine(notes.method(verdict), manifest)


def _capacity_cells(row: ServerRow) -> Sequence[str]:
    return (
        bold(row.server),
        row.at_once,
        METRICS["capacity_rps"].full(row.capacity_rps),
        words.limit(row.slots_allow_rps),
        words.limit(row.cpu_allows_rps),
        row.limited_by or words.UNKNOWN,
        _marked(row.rating),
    )


def _cells(row: ServerRow, load: LoadRow) -> Sequence[str]:
    return (
        bold(row.server),
        row.at_once,
        *(metric.full(load[metric.key]) for metric in COLUMNS),
        _marked(load.rating),
    )


def _requests(found: Listing | None) -> Iterator[str]:
    """The requests by name."""
    if found is None:
        return
    titles = OF_REQUESTS if found.has_objectives else OF_REQUESTS[:-1]
    yield from table(titles, (_request_cells(*row)[: len(titles)] for row in found.rows))
    if found.left_out:
        yield f"and {found.left_out} more: see report.html\n"


def _request_cells(server: str, row: RequestRow) -> Sequence[str]:
    objective = Marked(f"{_marked(row.rating)} {code(row.slo)}" if row.rating else "")
    figures = (metric.full(row[metric.key]) for metric in by_request.COLUMNS)
    return (bold(server), row.request, *figures, objective)


def method_and_machine(method: Iterable[str], manifest: Manifest) -> Iterator[str]:
    """How it was measured and on what, folded away."""
    yield "<details><summary>Method and machine</summary>\n"
    yield from (f"- {plain(sentence)}" for sentence in method)
    yield ""
    facts = notes.facts(manifest)
    yield from table(("What", "Value"), facts) if facts else ()
    yield "</details>"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown, line by line; an empty one at its end."""
    yield f"| {' | '.join(titles)} |"
    yield "|" + " --- |" * len(titles)
    yield from (f"| {' | '.join(cell if isinstance(cell, Marked) else plain(cell) for cell in row)} |" for row in rows)
    yield ""


def _marked(outcome: Rating | Finding) -> str:
    return f"{MARKS[outcome]} {outcome}" if outcome in MARKS else outcome
