"""The exercises as their folders describe them: `workshop/04-workers/` with its texts and its check."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from wsgilab.errors import UsageError, did_you_mean
from wsgilab.lab import ROOT
from wsgilab.workshop.checks import Outcome
from wsgilab.workshop.evidence import Evidence

FOLDER = ROOT / "workshop"
TEXT, HINTS, SOLUTION, CHECK = "README.md", "hints.md", "solution.md", "check.py"
NAME = re.compile(r"(\d\d)-[a-z0-9-]+")
FRONT_MATTER = re.compile(r"\A---\n(?P<front>.*?)\n---\n(?P<text>.*)\Z", re.DOTALL)
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
CONTINUED = re.compile(r" *\\\n *")
INDENT = "    "
SECTIONS = PREDICT, RUN, OBSERVE, EXPLAIN, TAKE_HOME = ("Predict", "Run", "Observe", "Explain", "Take home")
"""The headings of a text, in their order."""


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What should come out: not a number, which would be that of another machine."""

    direction: str
    """What goes up or down with what."""
    range: str
    """Between which bounds, and on what they depend."""


class FrontMatter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands above the text of an exercise, between two lines of dashes."""

    title: str
    question: str
    objectives: tuple[str, ...]
    minutes: int
    command: str
    """The exercise's own command: the first that its text asks for."""
    dashboard: str
    """Where it can be watched: the path of a dashboard, the same in Grafana and in `./lab view`."""
    expect: Expectation
    needs: tuple[str, ...] = ()
    """What not every laptop has: `docker`, `browser`, `linux`."""
    courses: tuple[int, ...] = ()
    """The workshops that it is part of, by their length in minutes."""
    setup: tuple[str, ...] = ()
    """Commands to run before."""


@dataclass(frozen=True)
class Section:
    """A part of a text, with its heading."""

    heading: str
    text: str


@dataclass(frozen=True)
class Exercise:
    """One exercise."""

    number: int
    name: str
    """Its folder's: `04-workers`."""
    folder: Path
    front: FrontMatter
    sections: tuple[Section, ...]
    """One for each of SECTIONS."""
    hints: tuple[str, ...]
    solution: str

    @property
    def title(self) -> str:
        """`4. Workers`."""
        return f"{self.number}. {self.front.title}"

    @property
    def solution_commands(self) -> tuple[str, ...]:
        """What the solution runs."""
        return commands_in(self.solution)

    @property
    def commands(self) -> tuple[str, ...]:
        """Every command that stands in any of its texts."""
        texts = [section.text for section in self.sections]
        shown = (command for text in [*texts, *self.hints, self.solution] for command in commands_in(text))
        return tuple(dict.fromkeys([self.front.command, *self.front.setup, *shown]))

    def check(self, evidence: Evidence) -> Outcome:
        """What the evidence says: the exercise's own check.py."""
        return _check_in(self.folder / CHECK)(evidence)


def load(folder: Path = FOLDER) -> tuple[Exercise, ...]:
    """Every exercise, in their order. Raises UsageError for one that cannot be read."""
    found = [read(path.parent) for path in sorted(folder.glob(f"*/{TEXT}")) if NAME.fullmatch(path.parent.name)]
    if not found:
        raise UsageError(f"{folder} holds no exercises.", "the clone is not complete", "git status")
    return tuple(found)


def find(exercises: Sequence[Exercise], word: str) -> Exercise:
    """The exercise of that number or folder's name. Raises UsageError where there is none."""
    for exercise in exercises:
        if word in (exercise.name, str(exercise.number), f"{exercise.number:02}"):
            return exercise
    known = [exercise.name for exercise in exercises]
    cause = did_you_mean(word, known, f"they go from 1 to {len(exercises)}")
    raise UsageError(f"There is no exercise '{word:.40}'.", cause, "./lab exercise")


def read(folder: Path) -> Exercise:
    """The exercise in a folder. Raises UsageError naming the file and what is wrong with it."""
    number = NAME.fullmatch(folder.name)
    if not number:
        raise _unreadable(folder, "its name must be like 04-workers")
    parts = FRONT_MATTER.match(_text_of(folder / TEXT))
    if not parts:
        raise _unreadable(folder / TEXT, "it must begin with a line of three dashes, what it is, and another such line")
    try:
        front = msgspec.convert(yaml.safe_load(parts["front"]), FrontMatter)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise _unreadable(folder / TEXT, f"above its text: {' '.join(str(error).split())}") from error
    return Exercise(
        number=int(number[1]),
        name=folder.name,
        folder=folder,
        front=front,
        sections=sections_of(parts["text"]),
        hints=tuple(section.text for section in sections_of(_text_of(folder / HINTS))),
        solution=_trimmed(_text_of(folder / SOLUTION)),
    )


def sections_of(text: str) -> tuple[Section, ...]:
    """The parts of a text that begin with a heading of the second level."""
    pieces = HEADING.split(text)
    return tuple(Section(*pair) for pair in zip(pieces[1::2], map(_trimmed, pieces[2::2]), strict=True))


def commands_in(text: str) -> tuple[str, ...]:
    """The lines that are indented as code is in Markdown; one that ends in a backslash goes on in the next."""
    code = [line.removeprefix(INDENT) for line in text.splitlines() if line.startswith(INDENT)]
    return tuple(line for line in CONTINUED.sub(" ", "\n".join(code)).splitlines() if line.strip())


def _check_in(path: Path) -> Callable[[Evidence], Outcome]:
    """The function `check` of a file. Raises UsageError where there is none."""
    spec = importlib.util.spec_from_file_location(f"check_of_{path.parent.name.replace('-', '_')}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise _unreadable(path, "it is not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    check: Callable[[Evidence], Outcome] | None = getattr(module, "check", None)
    if check is None:
        raise _unreadable(path, "it has no function check(evidence)")
    return check


def _trimmed(text: str) -> str:
    """The text without empty lines around it; its first line may be indented, as a command is."""
    return text.strip("\n").rstrip()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or "it is not UTF-8") from error


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} cannot be used: {why}.", "an edit, or a clone that is not complete", "git status workshop"
    )
