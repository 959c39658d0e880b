"""What is wrong with exercises, the quiz and the timetables, in sentences: so that others can write their own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsgilab.errors import UsageError
from wsgilab.workshop import quiz
from wsgilab.workshop.catalogue import (
    CHECK,
    HINTS,
    INDENT,
    RUN,
    SECTIONS,
    SOLUTION,
    TEXT,
    Exercise,
    commands_in,
    read,
)
from wsgilab.workshop.quiz import Question

HINT_COUNT = 3
WIDEST = 96
"""Characters of a command: a terminal of 100 columns would break a longer line, and then it cannot be pasted."""
NEEDS = ("docker", "browser", "linux")
COURSES = (60, 120, 240)
LEAST_QUESTIONS, LESSON_QUESTIONS = 12, 3
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
COURSE = re.compile(r"^## (\d+) minutes$", re.MULTILINE)
ROW = re.compile(r"^\| (\d+) \| (.+?) \|", re.MULTILINE)
LINKED = re.compile(r"\(\.\./workshop/(\d\d-[a-z0-9-]+)/")
UID = re.compile(r"/d/([\w-]+)(\?[\w&=-]*)?")

Refusal = Callable[[str], str | None]
"""Why a command line would be refused; None where it is accepted."""


@dataclass(frozen=True)
class Workshop:
    """Where everything is that is looked at."""

    folder: Path
    """Of the exercises and the quiz."""
    timetable: Path
    """The page for instructors, with how long each part of a workshop takes."""
    dashboards: Path
    """The folder of Grafana's dashboards."""


def lint(workshop: Workshop, refusal: Refusal) -> list[str]:
    """Everything that is wrong, a sentence each; nothing where all is well."""
    faults: list[str] = []
    exercises: list[Exercise] = []
    for folder in sorted(path for path in workshop.folder.iterdir() if path.is_dir() and path.name != "__pycache__"):
        try:
            exercises.append(read(folder))
        except UsageError as error:
            faults.append(error.what)
    uids = set(_uids(workshop.dashboards))
    faults += _numbers(exercises)
    for exercise in exercises:
        faults += [f"{exercise.name}/{fault}" for fault in _faults(exercise, uids, refusal)]
    return [*faults, *_quiz(workshop.folder / quiz.FILE.name, exercises), *_timetable(workshop.timetable, exercises)]


def _faults(exercise: Exercise, dashboards: set[str], refusal: Refusal) -> Iterator[str]:
    yield from _front(exercise, dashboards)
    yield from _texts(exercise)
    for command in exercise.commands:
        if why := refusal(command):
            yield f"{TEXT}: `{command}` would be refused: {why}"
    if "def check(" not in _content(exercise.folder / CHECK):
        yield f"{CHECK} has no function check(evidence)"


def _front(exercise: Exercise, dashboards: set[str]) -> Iterator[str]:
    front = exercise.front
    if not 5 <= front.minutes <= 45:
        yield f"{TEXT}: {front.minutes} minutes is not a length for an exercise (5 to 45)"
    if not front.objectives:
        yield f"{TEXT} names no objective"
    for need in front.needs:
        if need not in NEEDS:
            yield f"{TEXT}: nobody knows what '{need}' is; it may need {', '.join(NEEDS)}"
    for course in front.courses:
        if course not in COURSES:
            yield f"{TEXT}: there is no workshop of {course} minutes"
    uid = UID.fullmatch(front.dashboard)
    if not uid or uid[1] not in dashboards:
        yield f"{TEXT}: {front.dashboard} is not a dashboard of the lab"


def _texts(exercise: Exercise) -> Iterator[str]:
    found = tuple(section.heading for section in exercise.sections)
    if found != SECTIONS:
        yield f"{TEXT} must have the sections {', '.join(SECTIONS)}, in this order, not {', '.join(found) or 'none'}"
    for section in exercise.sections:
        if not section.text:
            yield f"{TEXT} says nothing under {section.heading}"
    if len(exercise.hints) != HINT_COUNT or not all(exercise.hints):
        yield f"{HINTS} must have {HINT_COUNT} hints, a heading each"
    if not exercise.solution_commands:
        yield f"{SOLUTION} has no command to run"
    at_first = [line for part in exercise.sections if part.heading == RUN for line in commands_in(part.text)]
    if exercise.front.command not in at_first:
        yield f"{TEXT}: its own command, `{exercise.front.command}`, does not stand under {RUN}"
    for name in (TEXT, HINTS, SOLUTION):
        yield from _layout(exercise.folder, name)
    secret = set(exercise.solution_commands) - set(exercise.front.setup) - {exercise.front.command}
    for command in secret & {line for hint in exercise.hints[:-1] for line in _lines(hint)}:
        yield f"{HINTS} gives the solution away before the last hint: `{command}`"


def _layout(folder: Path, name: str) -> Iterator[str]:
    content = _content(folder / name)
    for target in LINK.findall(content):
        if not (folder / target).exists():
            yield f"{name} links to {target}, which is not there"
    for line in content.splitlines():
        if line.startswith(INDENT) and len(line.strip()) > WIDEST:
            yield f"{name}: a command of {len(line.strip())} characters breaks; end a line with a backslash before that"


def _numbers(exercises: Sequence[Exercise]) -> Iterator[str]:
    numbers = [exercise.number for exercise in exercises]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"exercises must be numbered from 01 on, without a gap: {', '.join(map(str, numbers))}"


def _quiz(path: Path, exercises: Sequence[Exercise]) -> Iterator[str]:
    try:
        questions = quiz.load(path)
    except UsageError as error:
        yield error.what
        return
    names = {exercise.name for exercise in exercises}
    if len(questions) < LEAST_QUESTIONS:
        yield f"{path.name} has {len(questions)} questions, and {LEAST_QUESTIONS} are the least"
    if sum(question.lesson for question in questions) < LESSON_QUESTIONS:
        yield f"{path.name} lacks questions of the lesson: {LESSON_QUESTIONS} are the least"
    yield from _questions(path.name, questions, names)


def _questions(file: str, questions: Iterable[Question], exercises: set[str]) -> Iterator[str]:
    seen: set[str] = set()
    for question in questions:
        if question.name in seen:
            yield f"{file} has two questions of the name {question.name}"
        seen.add(question.name)
        if question.exercise not in exercises:
            yield f"{file}: {question.name} names the exercise {question.exercise}, which is not there"
        if not all(choice.why.strip() for choice in question.choices):
            yield f"{file}: an answer of {question.name} is not explained"


def _timetable(path: Path, exercises: Sequence[Exercise]) -> Iterator[str]:
    """Minutes must add up, and be those of the exercises."""
    pieces = COURSE.split(_content(path))
    tables = dict(zip(map(int, pieces[1::2]), pieces[2::2], strict=True))
    for course in COURSES:
        if course not in tables:
            yield f"{path.name} has no timetable of {course} minutes"
            continue
        table = tables[course].partition("\n## ")[0]
        rows = [(int(minutes), what) for minutes, what in ROW.findall(table)]
        if (total := sum(minutes for minutes, _ in rows)) != course:
            yield f"{path.name}: the parts of {course} minutes add up to {total}"
        yield from _course(path.name, course, rows, exercises)


def _course(file: str, course: int, rows: Sequence[tuple[int, str]], exercises: Sequence[Exercise]) -> Iterator[str]:
    named = {name: minutes for minutes, what in rows for name in LINKED.findall(what)}
    for exercise in exercises:
        minutes, is_part = named.get(exercise.name), course in exercise.front.courses
        if (minutes is not None) != is_part:
            claims = "says that it is part of" if is_part else "does not say that it is part of"
            yield f"{exercise.name}/{TEXT} {claims} the {course} minutes, and {file} differs"
        elif minutes is not None and minutes != exercise.front.minutes:
            yield f"{file}: {exercise.name} takes {exercise.front.minutes} minutes, not {minutes}"


def _uids(folder: Path) -> Iterator[str]:
    for path in folder.glob("*.json"):
        yield str(json.loads(path.read_text(encoding="utf-8"))["uid"])


def _lines(text: str) -> list[str]:
    return [line.strip().strip("`") for line in text.splitlines()]


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
