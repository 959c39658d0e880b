"""The workshop's pages: the exercises with how far the reader is, each of them, and the quiz. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from markupsafe import Markup

from wsgilab.view.documents import in_docs, parsed, rendered
from wsgilab.view.home import render
from wsgilab.workshop.catalogue import Exercise
from wsgilab.workshop.progress import Progress, Step
from wsgilab.workshop.quiz import Question
from wsgilab.workshop.shown import parts

AT = "/exercises"


def exercises(found: Sequence[Exercise], progress: Progress) -> str:
    """All exercises, in their order."""
    minutes = [(exercise.name, exercise.front.minutes) for exercise in found]
    return render(
        "exercises.html.j2",
        AT,
        title="Exercises",
        exercises=[(exercise, progress.step(exercise.name)) for exercise in found],
        passed=sum(progress.step(name).passed_at is not None for name, _ in minutes),
        left=progress.minutes_left(minutes),
    )


def exercise(shown: Exercise, step: Step, following: Exercise | None) -> str:
    """One exercise; what is not open yet, hints and the solution are closed, and a hint holds the next one."""
    return render(
        "exercise.html.j2",
        "",
        title=shown.title,
        exercise=shown,
        step=step,
        parts=[(part, text(part.text)) for part in parts(shown, step)],
        hints=hints([text(hint) for hint in shown.hints]),
        solution=text(shown.solution),
        following=following,
    )


def quiz(questions: Sequence[Question], answers: Mapping[str, str], found: Sequence[Exercise]) -> str:
    """Every question; what was answered in the terminal is open."""
    names = {one.name: one for one in found}
    shown = [(question, answers.get(question.name, ""), names.get(question.exercise)) for question in questions]
    return render("quiz.html.j2", "/quiz", title="Quiz", questions=shown)


def text(markdown: str) -> Markup:
    """A piece of an exercise; its headings stand below those of the page."""
    tokens = parsed(markdown, in_workshop)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    return rendered(tokens)


def hints(texts: Sequence[Markup]) -> Markup:
    """Hints, each inside the one before: they are opened one by one."""
    inner = Markup()
    for number in range(len(texts), 0, -1):
        inner = Markup("<details><summary>Hint {}</summary>{}{}</details>").format(number, texts[number - 1], inner)
    return inner


def in_workshop(target: str) -> str | None:
    """A link of an exercise's text, in the site."""
    if re.match(r"https?://|#", target) or target.startswith("/d/"):
        return target
    at = PurePosixPath(target.partition("#")[0])
    if at.parts[:3] == ("..", "..", "docs"):
        return in_docs(target.removeprefix("../../docs/"))
    if number := re.fullmatch(r"\.\./(\d\d)-[\w-]+/?(?:README\.md)?", target):
        return f"{AT}/{int(number[1])}"
    return None
