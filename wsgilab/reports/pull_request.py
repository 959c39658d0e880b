"""A gate as Markdown for a pull-request comment: what came of it, one table, a sentence for each thing that failed."""

from __future__ import annotations

from collections.abc import Iterator

from wsgilab.model import words
from wsgilab.model.gate import FAILURES, OBJECTIVE, Check, Gate
from wsgilab.model.metrics import METRICS, Place, shown
from wsgilab.model.outcomes import Outcome
from wsgilab.model.verdict import Verdict
from wsgilab.reports import notes
from wsgilab.reports.markup import Marked, bold, code, plain

FIND_ME = "<!-- wsgilab gate -->"
"""By this line a script finds the comment of the run before, and replaces it."""
MARKS = {Outcome.PASSED: "✅", Outcome.MISSED: "❌", Outcome.WORSE: "❌", Outcome.NOISY: "⚠️", Outcome.NOT_JUDGED: ""}
KEPT = {Outcome.PASSED: "kept", Outcome.MISSED: "missed", Outcome.NOISY: "too noisy"}


def render(gate: Gate, verdict: Verdict) -> str:
    """The comment."""
    return "\n".join(_lines(gate, verdict)) + "\n"


def _lines(gate: Gate, verdict: Verdict) -> Iterator[str]:
    yield FIND_ME
    yield f"### {MARKS[gate.outcome]} WSGI Lab: {gate.outcome}\n"
    yield f"{plain(gate.summary)}\n"
    compared = [metric.key for metric in shown(Place.GATE)] if gate.against else []
    titles = ["Server", f"SLO {code(gate.slo)}", *(METRICS[key].label for key in compared)]
    yield f"| {' | '.join(titles)} |"
    yield "|" + " --- |" * len(titles)
    for place in gate.places:
        by_subject = {check.about: check for check in gate.at(place)}
        cells = [_kept(by_subject[OBJECTIVE]), *(_cell(by_subject.get(key)) for key in compared)]
        yield f"| {' | '.join([bold(place), *cells])} |"
    yield ""
    for check in (*gate.of(*FAILURES), *gate.of(Outcome.NOISY)):
        yield f"- {MARKS[check.outcome]} {bold(check.place)}: {plain(check.sentence)}"
    if gate.rounds_wanted:
        yield f"- About {words.counted(gate.rounds_wanted, 'round')} would tell what was too noisy to say."
    yield f"\n<sub>{' · '.join(_how(gate, verdict))}</sub>"


def _kept(check: Check) -> str:
    return f"{MARKS[check.outcome]} {KEPT[check.outcome]}"


def _cell(check: Check | None) -> str:
    """The figure, and what it changed: `✅ 24.1 ms, +0.4 % (−0.2 to +1.0)`."""
    if check is None:
        return ""
    figure = plain(METRICS[check.about].text(check.after))
    changed = f", {plain(words.change(check.ratio))}" if check.ratio else ""
    return Marked(f"{MARKS[check.outcome]} {figure}{changed}".strip())


def _how(gate: Gate, verdict: Verdict) -> Iterator[str]:
    if gate.against:
        yield f"against {code(gate.against)}, tolerance {gate.tolerance * 100:g} %"
    yield f"workload {code(verdict.workload)}"
    yield words.counted(verdict.rounds, "round")
    yield f"engine {code(verdict.engine)}"
    yield from notes.connections(verdict)
    if gate.against:
        yield "changes with 95 % intervals"
