"""The quiz: questions with an explanation for every wrong answer, from workshop/quiz.yaml. Pure, but for reading it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import yaml

from wsgilab.errors import UsageError
from wsgilab.workshop.catalogue import FOLDER

FILE = FOLDER / "quiz.yaml"
LETTERS = "abcdef"


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the answers to choose from."""

    answer: str
    why: str
    """Why it is right, or what is wrong with it."""
    right: bool = False


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question with exactly one right answer."""

    name: str
    question: str
    exercise: str
    """The folder of the exercise that shows it."""
    choices: tuple[Choice, ...]
    lesson: bool = False
    """Whether the lesson itself asks it."""

    @property
    def right(self) -> str:
        """The letter of the right answer."""
        return next(letter for letter, choice in self.lettered if choice.right)

    @property
    def lettered(self) -> Sequence[tuple[str, Choice]]:
        """The answers with their letters."""
        return list(zip(LETTERS, self.choices, strict=False))

    def choice(self, letter: str) -> Choice | None:
        """The answer of that letter; None where there is none."""
        return dict(self.lettered).get(letter)


def load(path: Path = FILE) -> tuple[Question, ...]:
    """Every question, in order. Raises UsageError naming what is wrong."""
    try:
        questions = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), tuple[Question, ...])
    except (OSError, ValueError, yaml.YAMLError) as error:
        cause = "an edit, or a clone that is not complete"
        raise UsageError(
            f"{path} cannot be used: {' '.join(str(error).split())}.", cause, "git status workshop"
        ) from error
    for question in questions:
        if sum(choice.right for choice in question.choices) != 1 or not 2 <= len(question.choices) <= len(LETTERS):
            what = f"{path} cannot be used: '{question.name}' must have 2 to {len(LETTERS)} answers, one of them right."
            raise UsageError(what, "an edit", "git diff workshop/quiz.yaml")
    return questions


def score(questions: Sequence[Question], answers: Mapping[str, str]) -> tuple[int, int]:
    """(how many were answered right, how many were answered)."""
    asked = [question for question in questions if question.name in answers]
    return sum(answers[question.name] == question.right for question in asked), len(asked)
