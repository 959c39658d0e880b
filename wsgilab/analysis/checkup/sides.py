"""Which servers answered like most, and which did not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from wsgilab.model.checkup import Answers, Checkup, Question

Value = TypeVar("Value")


@dataclass(frozen=True)
class Side(Generic[Value]):
    """Servers of one opinion."""

    value: Value
    servers: tuple[str, ...]


def sides(values: Sequence[tuple[str, Value]], same: Callable[[Value, Value], bool]) -> list[Side[Value]]:
    """The opinions of servers on one thing, the commonest first; of several as common, the one that was met first."""
    found: list[Side[Value]] = []
    for server, value in values:
        known = next((number for number, side in enumerate(found) if same(side.value, value)), None)
        if known is None:
            found.append(Side(value, (server,)))
        else:
            found[known] = Side(found[known].value, (*found[known].servers, server))
    return sorted(found, key=lambda side: -len(side.servers))


def by_question(checkups: Sequence[Checkup]) -> Iterator[tuple[Question, list[tuple[Checkup, Answers]]]]:
    """Each question, with the answers of every server that was asked it."""
    asked = [checkup for checkup in checkups if checkup.answers]
    for number, answers in enumerate(asked[0].answers if asked else ()):
        yield answers.question, [(checkup, checkup.answers[number]) for checkup in asked]
