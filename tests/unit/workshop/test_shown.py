"""What of an exercise is open: first somebody predicts, then they measure, and then they hear what it means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wsgilab.workshop import catalogue, shown
from wsgilab.workshop.catalogue import Exercise
from wsgilab.workshop.progress import Step

EXERCISES = catalogue.load()
AT = shown.Addresses("http://view", "http://grafana")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHECKED, PASSED = Step(checked_at=NOW), Step(checked_at=NOW, passed_at=NOW)
ANSWERS = ("What to expect", "Explain", "Take home")


def headings(of: Exercise, step: Step) -> list[str]:
    return [part.heading for part in shown.parts(of, step) if part.is_open]


@pytest.mark.parametrize("of", EXERCISES, ids=lambda of: of.name)
def test_nothing_that_comes_out_is_shown_before_it_was_measured(of: Exercise) -> None:
    assert headings(of, Step()) == ["Predict", "Run"]
    text = shown.exercise(of, Step(), AT)
    for section in of.sections[2:]:
        assert section.text not in text
    for said in (of.front.expect.direction, of.front.expect.range, of.solution, of.hints[0]):
        assert said not in text
    assert (
        f"`./lab exercise {of.number} --check` opens *Observe* and, once the evidence is there, *What to expect*"
        in text
    )
    assert f"`workshop/{of.name}/README.md`" in text


def test_a_check_opens_what_to_observe_and_the_evidence_opens_why() -> None:
    of = EXERCISES[3]
    assert headings(of, CHECKED) == ["Predict", "Run", "Observe"]
    assert "--check` opens, once the evidence is there, *What to expect*, *Explain* and *Take home*." in shown.exercise(
        of, CHECKED, AT
    )
    assert headings(of, PASSED) == ["Predict", "Run", "Observe", *ANSWERS]
    assert "--check` opens" not in shown.exercise(of, PASSED, AT)
    assert headings(of, Step(passed_at=NOW)) == headings(of, PASSED), "passed under an earlier version of the lab"


def test_what_a_check_has_opened_is_told_once() -> None:
    of = EXERCISES[3]
    assert shown.opened(of, Step(), Step()) == ""
    assert shown.opened(of, Step(), CHECKED) == f"## Observe\n\n{of.sections[2].text}"
    assert [line for line in shown.opened(of, CHECKED, PASSED).splitlines() if line.startswith("## ")] == [
        f"## {heading}" for heading in ANSWERS
    ]
    assert shown.opened(of, PASSED, PASSED) == ""


def test_hints_and_the_dashboard_stand_where_they_help() -> None:
    text = shown.exercise(EXERCISES[3], replace(CHECKED, hints=2), AT)
    order = [
        text.index(said) for said in ("## Run", "Watch it: http://view/d/", "## Observe", "## Hint 1", "## Hint 2")
    ]
    assert order == sorted(order)
    assert "## Hint 3" not in text


def test_a_link_shows_its_file_in_a_terminal() -> None:
    assert "See it in DevTools (`docs/devtools.md`) has pictures" in shown.exercise(EXERCISES[12], Step(), AT)
