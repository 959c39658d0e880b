"""What a browser felt, for people: in a terminal, as Markdown, and as one HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Drawn
from rich.text import Text

from wsgilab.model import words
from wsgilab.model.manifest import Manifest
from wsgilab.model.outcomes import Finding
from wsgilab.model.vitals import MOMENTS_MS, Film, VitalsVerdict
from wsgilab.reports import notes
from wsgilab.reports.markup import bold, plain
from wsgilab.reports.vital_tables import Cell, Table, differences, method, tables, voids

HERE = Path(__file__).parent
WIDTH = 100
STYLES = {"good": "green", "needs improvement": "yellow", "poor": "bold red"}
MARKS = {"good": "✅", "needs improvement": "⚠️", "poor": "❌"}
FINDINGS = {Finding.HOLDS: "bold green", Finding.DOES_NOT_HOLD: "bold red"}
MOST_DIFFERENCES = 40
"""A terminal shows no more; vitals.json has all of them."""


def render(verdict: VitalsVerdict, console: Console) -> None:
    """Print it to `console`."""
    width = min(WIDTH, console.width)
    for part in _parts(verdict):
        console.print(part, width=width, highlight=False)


def markdown(verdict: VitalsVerdict, manifest: Manifest) -> str:
    """report.md."""
    return "\n".join(_lines(verdict, manifest)) + "\n"


def html(verdict: VitalsVerdict, manifest: Manifest, films: Sequence[Film] = ()) -> str:
    """report.html: no network, no script."""
    return (
        _environment()
        .get_template("vitals.html.j2")
        .render(
            verdict=verdict,
            css=Markup((HERE / "report.css").read_text(encoding="utf-8")),
            tables=list(tables(verdict)),
            differences=list(differences(verdict)),
            voids=list(voids(verdict)),
            method=list(method(verdict)),
            facts=notes.facts(manifest),
            strips=_strips(verdict, films),
            moments=[words.round_duration(moment) for moment in MOMENTS_MS],
        )
    )


def _strips(verdict: VitalsVerdict, films: Sequence[Film]) -> list[tuple[str, list[Film]]]:
    """(button, its films with each server, in the order of the servers)."""
    order = {server: place for place, server in enumerate(verdict.servers)}
    found = {action: [film for film in films if film.action == action] for action in verdict.actions}
    known = {action: [film for film in own if film.server in order] for action, own in found.items()}
    return [(action, sorted(own, key=lambda film: order[film.server])) for action, own in known.items() if own]


def _parts(verdict: VitalsVerdict) -> Iterator[Any]:
    yield Text(" ".join(method(verdict)), "dim")
    for table in tables(verdict):
        yield Text(f"\n{table.title}", "bold")
        yield _drawn(table)
    if verdict.claims:
        yield Text("\nWhat follows the server", "bold")
    for claim in verdict.claims:
        yield _indented(Text.assemble((claim.result, FINDINGS.get(claim.result, "bold yellow")), f"  {claim.text}"))
        yield Padding(Text(f"{claim.evidence}.", "dim"), (0, 0, 0, 4))
    yield Text("\nDifferences shown", "bold")
    found = list(differences(verdict))
    yield from (_indented(Text(f"{sentence}.")) for sentence in found[:MOST_DIFFERENCES] or ["None"])
    if len(found) > MOST_DIFFERENCES:
        yield _indented(Text(f"and {len(found) - MOST_DIFFERENCES} more: see report.html", "dim"))
    for title, sentences in (("Void blocks (kept, not counted)", voids(verdict)), ("About the data", verdict.problems)):
        told = list(sentences)
        if told:
            yield Text(f"\n{title}", "bold")
            yield from (_indented(Text(sentence)) for sentence in told)


def _drawn(table: Table) -> Drawn:
    drawn = Drawn(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("Server", *table.heads):
        drawn.add_column(head, overflow="fold")
    for server, cells in table.rows:
        drawn.add_row(server, *map(_coloured, cells))
    return drawn


def _coloured(cell: Cell) -> Text:
    rated = f" {cell.rating}" if cell.rating not in ("", "good") else ""
    below = "\n".join(part for part in (cell.interval, cell.remark) if part)
    return Text.assemble((f"{cell.figure}{rated}", STYLES.get(cell.rating, "")), (f"\n{below}" if below else "", "dim"))


def _lines(verdict: VitalsVerdict, manifest: Manifest) -> Iterator[str]:
    yield "# WSGI Lab: what the browser feels\n"
    yield f"{plain(' '.join(method(verdict)))}\n"
    for table in tables(verdict):
        yield f"## {plain(table.title)}\n"
        yield f"{plain(table.about)}.\n"
        yield from _grid(("Server", *table.heads), ((server, *map(_marked, cells)) for server, cells in table.rows))
    if verdict.claims:
        yield "## What follows the server\n"
        yield from _grid(
            ("Claim", "Result", "Evidence"), ((claim.text, claim.result, claim.evidence) for claim in verdict.claims)
        )
    for title, sentences in (
        ("Differences shown", differences(verdict)),
        ("Void blocks", voids(verdict)),
        ("About the data", iter(verdict.problems)),
    ):
        yield f"## {title}\n"
        yield "\n".join(f"- {plain(sentence)}" for sentence in sentences) or "None."
        yield ""
    yield "<details><summary>Machine</summary>\n"
    yield from _grid(("What", "Value"), notes.facts(manifest))
    yield "</details>"


def _marked(cell: Cell) -> str:
    return f"{MARKS.get(cell.rating, '')} {cell.full}".strip()


def _grid(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield "|" + " --- |" * len(titles)
    for first, *others in rows:
        yield f"| {' | '.join([bold(first), *map(plain, others)])} |"
    yield ""


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 2))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals["words"] = words
    return made
