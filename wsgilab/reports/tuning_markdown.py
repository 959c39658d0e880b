"""A tuning as Markdown that fits a pull-request comment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model import words
from wsgilab.model.manifest import Manifest
from wsgilab.model.verdict import Verdict
from wsgilab.reports import tuning_notes, tuning_tables
from wsgilab.reports.markdown import method_and_machine, table
from wsgilab.reports.markup import bold, code, plain

MOST_SETTINGS, MOST_VOID = 40, 10
"""A comment has room for so many characters; report.html has all."""


def render(tuning: Tuning, verdict: Verdict, manifest: Manifest, ready: Mapping[str, str]) -> str:
    """report.md of a tuning. `ready`: the files of `ready_files`."""
    return "\n".join(_lines(tuning, verdict, manifest, ready)) + "\n"


def _lines(tuning: Tuning, verdict: Verdict, manifest: Manifest, ready: Mapping[str, str]) -> Iterator[str]:
    advice = tuning.advice
    yield f"# WSGI Lab: how to set {plain(tuning_notes.program(tuning))} for this app\n"
    yield f"{bold(advice.answer)}\n"
    asked, took = plain(tuning_notes.asked(tuning, verdict)), plain(tuning_notes.took(tuning))
    yield f"{asked} Workload {code(verdict.workload)}. {took}\n"
    yield from _list("", (*advice.compared, *advice.limit, *advice.sure))
    if tuning.contenders:
        yield from table(tuning_tables.COMPARED, tuning_tables.compared(tuning))
    yield from _list("Predicted, not measured", advice.predictions)
    yield from _list("To avoid", advice.avoid)
    if ready:
        yield "## Ready to use\n"
        yield f"In the folder `ready`: {words.listed([code(name) for name in ready])}.\n"
    yield "## Measured next to predicted\n"
    shown = tuning.measured[:MOST_SETTINGS]
    yield from table(tuning_tables.TRIED, tuning_tables.tried(shown))
    if len(shown) < len(tuning.measured):
        yield f"and {len(tuning.measured) - len(shown)} more: see report.html\n"
    yield from _list("Void windows", tuning_notes.void(verdict, MOST_VOID))
    yield from _list("About the data", verdict.problems)
    yield from method_and_machine(tuning_notes.method(tuning), manifest)


def _list(title: str, sentences: Sequence[str]) -> Iterator[str]:
    """Nothing where there is nothing to say."""
    if not sentences:
        return
    if title:
        yield f"## {title}\n"
    yield from (f"- {plain(words.sentence(sentence))}" for sentence in sentences)
    yield ""
