"""How far somebody is: one file that can be read, results/workshop/progress.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from wsgilab.errors import MissingError, UsageError, to_paste
from wsgilab.workshop.evidence import WORKSHOP

FILE = "progress.json"
SCHEMA = 1


@dataclass(frozen=True)
class Step:
    """How far somebody is with one exercise."""

    passed_at: datetime | None = None
    hints: int = 0
    """How many are open."""
    checked_at: datetime | None = None
    """When a check first found something measured: what to observe is open since then."""
    solved_at: datetime | None = None
    """When the solution was run for them."""
    since: datetime | None = None
    """What was measured before is no evidence: they began anew then."""

    @property
    def state(self) -> str:
        """In a word or two, for a list."""
        if self.passed_at:
            helped = self.solved_at is not None and self.solved_at <= self.passed_at
            return "passed, with the solution" if helped else "passed"
        return "begun" if self.hints or self.checked_at or self.solved_at else "open"

    def after_check(self, found: bool, passed: bool, now: datetime) -> Step:
        """The same after a check; `found`: whether anything was measured at all."""
        checked, done = now if found else None, now if passed else None
        return replace(self, checked_at=self.checked_at or checked, passed_at=self.passed_at or done)


@dataclass(frozen=True)
class Progress:
    """How far somebody is."""

    exercises: Mapping[str, Step] = field(default_factory=dict)
    """By their folders' names; those that were not begun are not there."""
    quiz: Mapping[str, str] = field(default_factory=dict)
    """The answer to each question that was asked, by the question's name."""
    schema: int = SCHEMA

    def step(self, exercise: str) -> Step:
        """How far with this one."""
        return self.exercises.get(exercise, Step())

    def with_step(self, exercise: str, **changes: Any) -> Progress:
        """The same with a step changed."""
        return self.having(exercise, replace(self.step(exercise), **changes))

    def having(self, exercise: str, step: Step) -> Progress:
        """The same with another step."""
        return replace(self, exercises={**self.exercises, exercise: step})

    def without(self, exercise: str, now: datetime) -> Progress:
        """The same with an exercise begun anew."""
        return self.having(exercise, Step(since=now))

    def minutes_left(self, minutes: Sequence[tuple[str, int]]) -> int:
        """How long the rest takes. `minutes`: (name, minutes) of each exercise."""
        return sum(needed for name, needed in minutes if not self.step(name).passed_at)


def path_in(results: Path) -> Path:
    """Where it is kept."""
    return results / WORKSHOP / FILE


def read(results: Path) -> Progress:
    """What is kept; nothing where there is nothing yet. Raises UsageError for a file that cannot be used."""
    path = path_in(results)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Progress)
    except FileNotFoundError:
        return Progress()
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}.",
            "it was edited, or cut off",
            to_paste("mv", path, path.with_suffix(".old")),
        ) from error
    if found.schema != SCHEMA:
        cause = f"another version of the lab wrote it (schema {found.schema})"
        raise UsageError(f"{path} cannot be used.", cause, to_paste("mv", path, path.with_suffix(".old")))
    return found


def write(results: Path, progress: Progress) -> None:
    """Keep it, whole or not at all. Raises MissingError where that is not possible."""
    path = path_in(results)
    text = json.dumps(msgspec.to_builtins(progress), indent=2) + "\n"
    unfinished = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        cause = "the folder belongs to another user, or the disk is full"
        raise MissingError(
            f"{path} cannot be written: {error.strerror}.", cause, to_paste("ls", "-ld", path.parent)
        ) from error
