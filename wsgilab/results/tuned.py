"""What a saved tuning came to: from its manifest and its windows, as a verdict is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from wsgilab.analysis.tuning.outcome import Tuning, outcome
from wsgilab.model import slo
from wsgilab.model.controls import each_text, visible
from wsgilab.model.interval import Interval
from wsgilab.model.manifest import Manifest
from wsgilab.model.privacy import without_home
from wsgilab.model.request import DEFAULT_SLO
from wsgilab.model.tuning import Question
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window

FILE = "tuning.json"


def question_in(manifest: Manifest) -> Question | None:
    """What was asked; None for any other run, and where that cannot be read any more."""
    try:
        return Question.from_json(manifest.tuning) if manifest.tuning is not None else None
    except ValueError:
        return None


def tuning_of(windows: Sequence[Window], manifest: Manifest) -> Tuning | None:
    """What these windows say to that question; None where there is none.

    No text in it holds a character that is obeyed, not shown, or where its user is at home.
    """
    question = question_in(manifest)
    if question is None:
        return None
    home = os.path.expanduser("~")
    found = outcome(question, windows, slo.parse(manifest.slo or DEFAULT_SLO))
    return each_text(found, lambda text: without_home(visible(text), home))


def with_its_answer(verdict: Verdict, tuning: Tuning | None) -> Verdict:
    """The verdict with what the tuning recommends, and with the capacities that its final measured; itself without."""
    if tuning is None:
        return verdict
    found = {point.setting.name: _as_a_rate(point.capacity_rps) for point in tuning.points if point.capacity_rps}
    rows = tuple(replace(row, capacity_rps=found.get(row.server, row.capacity_rps)) for row in verdict.servers)
    problems = (*verdict.problems, tuning.problem) if tuning.problem else verdict.problems
    return replace(verdict, servers=rows, answer=tuning.sentences, problems=problems)


def _as_a_rate(capacity: Interval) -> Interval:
    """The same in figures as a search has them, which are rates that were offered."""
    low, high = (end and float(f"{end:.4g}") for end in (capacity.low, capacity.high))
    return replace(capacity, value=float(f"{capacity.value:.4g}"), low=low, high=high)
