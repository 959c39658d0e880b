"""The quiz: one right answer each, every wrong one explained, and a score."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.errors import UsageError
from wsgilab.workshop import quiz

QUESTIONS = quiz.load()
ONE = "- {name: a, question: b, exercise: c, choices: [{answer: x, why: y, right: %s}, {answer: z, why: w}]}"


def test_there_are_enough_questions_and_the_lessons_are_among_them() -> None:
    assert len(QUESTIONS) >= 12
    assert sum(question.lesson for question in QUESTIONS) == 3


def test_the_right_answer_is_not_always_in_the_same_place() -> None:
    assert len({question.right for question in QUESTIONS}) >= 3


def test_the_right_answer_is_not_always_the_longest() -> None:
    longest = [max(question.lettered, key=lambda pair: len(pair[1].answer))[0] for question in QUESTIONS]
    assert sum(letter == question.right for letter, question in zip(longest, QUESTIONS, strict=True)) < len(QUESTIONS)


def test_the_score_counts_first_answers_to_questions_that_are_there() -> None:
    first, second = QUESTIONS[:2]
    wrong = next(letter for letter, choice in second.lettered if not choice.right)
    assert quiz.score(QUESTIONS, {first.name: first.right, second.name: wrong, "gone": "a"}) == (1, 2)


@pytest.mark.parametrize("text", ["", "- 3", ONE % "false", "{", ONE.replace("z", "z, right: true") % "true"])
def test_a_quiz_that_cannot_be_asked_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "quiz.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"quiz\.yaml cannot be used"):
        quiz.load(path)
