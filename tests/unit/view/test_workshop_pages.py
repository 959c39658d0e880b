"""The exercises and the quiz as pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from shown import sources_of
from support import ROOT

from wsgilab.view.html_pages import HtmlPages
from wsgilab.view.refusal import NotShown
from wsgilab.view.workshop_pages import exercise, exercises, in_workshop, quiz, text
from wsgilab.workshop import catalogue, progress
from wsgilab.workshop import quiz as questions
from wsgilab.workshop.progress import Progress, Step

NOBODY = "http://127.0.0.1:1"
EXERCISES = catalogue.load()
QUESTIONS = questions.load()
DONE = Progress().with_step(EXERCISES[0].name, passed_at=datetime.now(UTC))


def test_exercises_are_listed_with_how_far_somebody_is() -> None:
    page = exercises(EXERCISES, DONE)
    assert f"1 of {len(EXERCISES)} passed" in page
    assert page.count('class="outcome good">passed') == 1
    assert f"about {sum(one.front.minutes for one in EXERCISES[1:])} minutes" in page
    for number in range(1, len(EXERCISES) + 1):
        assert f'href="/exercises/{number}"' in page


@pytest.mark.parametrize("shown", EXERCISES, ids=lambda shown: shown.name)
def test_an_exercise_keeps_hints_and_solution_closed_and_its_links_lead_somewhere(shown: catalogue.Exercise) -> None:
    page = exercise(shown, Step(), None)
    assert page.count("<h1>") == 1
    assert "<details open" not in page
    assert page.count("<summary>Hint ") == len(shown.hints)
    for heading in ("Observe", "What to expect", "Explain", "Take home"):
        assert f"<summary>{heading}</summary>" in page, "who has read it can no longer predict"
    assert f'href="{shown.front.dashboard}"' in page
    for target in re.findall(r'href="/docs/([\w-]+)', page):
        assert target == "readme" or (ROOT / f"docs/{target}.md").exists(), target
    for number in re.findall(r'href="/exercises/(\d+)"', page):
        assert 1 <= int(number) <= len(EXERCISES)


def test_a_check_opens_on_the_page_what_it_opens_in_the_terminal() -> None:
    now = datetime.now(UTC)
    checked = exercise(EXERCISES[0], Step(checked_at=now), None)
    assert '<h2 id="observe">Observe</h2>' in checked
    assert "<summary>Explain</summary>" in checked
    passed = exercise(EXERCISES[0], Step(passed_at=now), None)
    assert '<h2 id="explain">Explain</h2>' in passed
    assert "before you open what follows" in checked
    assert "before you open what follows" not in passed


def test_hints_are_opened_one_by_one() -> None:
    page = exercise(EXERCISES[0], Step(), EXERCISES[1])
    first = page.index("<summary>Hint 1")
    assert page.count("</details>", first, page.index("<summary>Hint 2")) == 0, "the second is inside the first"
    assert f"Next: {EXERCISES[1].title}" in page


def test_every_answer_of_the_quiz_is_explained_and_leads_to_its_exercise() -> None:
    page = quiz(QUESTIONS, {QUESTIONS[0].name: QUESTIONS[0].right}, EXERCISES)
    assert page.count('<details class="choice"') == sum(len(question.choices) for question in QUESTIONS)
    assert page.count('data-right="yes"') == len(QUESTIONS)
    assert page.count(" open>") == 1, "what was answered in the terminal"
    assert page.count("See it in exercise") == sum(len(question.choices) for question in QUESTIONS)


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    assert "&lt;script&gt;" in text("<script>alert(1)</script>")


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("../../docs/how-to.md#a", "/docs/how-to#a"),
        ("../04-workers/", "/exercises/4"),
        ("../04-workers/README.md", "/exercises/4"),
        ("/d/capacity", "/d/capacity"),
        ("https://example.com", "https://example.com"),
        ("crash.py", None),
        ("javascript:alert(1)", None),
    ],
)
def test_links_of_an_exercise_lead_into_the_site(target: str, leads_to: str | None) -> None:
    assert in_workshop(target) == leads_to


def test_progress_is_that_of_the_results_folder(tmp_path: Path) -> None:
    progress.write(tmp_path, DONE)
    pages = HtmlPages(sources_of(tmp_path, NOBODY))
    assert "1 is passed" in pages.home("127.0.0.1")
    assert ">passed</span>" in pages.exercise(1)
    with pytest.raises(NotShown, match="no exercise 99"):
        pages.exercise(99)


def test_progress_that_cannot_be_read_is_named_there_and_hides_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "workshop").mkdir()
    (tmp_path / "workshop/progress.json").write_text("{")
    pages = HtmlPages(sources_of(tmp_path, NOBODY))
    assert "Nothing has been measured yet" in pages.home("127.0.0.1")
    with pytest.raises(NotShown, match="cannot be read"):
        pages.exercises()
