"""Slides: everything that an exercise says at first, nothing of its solution, and nothing from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from wsgilab.workshop import catalogue, slides
from wsgilab.workshop.catalogue import Section

EXERCISES = catalogue.load()
PAGE = slides.render(EXERCISES)


def test_each_exercise_has_a_slide_for_its_question_and_each_section() -> None:
    assert PAGE.count("<section") == 1 + sum(1 + len(exercise.sections) for exercise in EXERCISES)
    for exercise in EXERCISES:
        assert PAGE.count(f'id="{exercise.name}"') == 1


def test_hints_and_solutions_stay_closed() -> None:
    assert "Almost there" not in PAGE
    for exercise in EXERCISES:
        assert exercise.solution.splitlines()[-1] not in PAGE


def test_it_is_one_file_without_a_script_that_loads_nothing() -> None:
    tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the name is HTMLParser's
            tags.append(tag)

    Tags().feed(PAGE)
    assert not {"script", "link", "img", "iframe"} & set(tags)
    assert not re.search(r"url\(|@import", PAGE)


def test_a_text_cannot_put_tags_into_the_page() -> None:
    hostile = replace(EXERCISES[0], sections=(Section("<b>", "<script>alert(1)</script>"),))
    page = slides.render([hostile])
    assert "<script>" not in page
    assert "<b>" not in page
