"""The words of an exercise's check: passed, or which piece of evidence is missing, or that it must be measured again.

Pure. A check is a function of the evidence; it names what is missing, never how to get there: that is for hints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from wsgilab.model.outcomes import Rating
from wsgilab.model.verdict import LoadRow, ServerRow
from wsgilab.workshop.evidence import Evidence, Felt, Record, Run, measured

__all__ = [
    "Evidence",
    "Felt",
    "LoadRow",
    "Outcome",
    "Rating",
    "Record",
    "Run",
    "ServerRow",
    "State",
    "again",
    "all_of",
    "any_of",
    "both_at",
    "is_twin",
    "measured",
    "missing",
    "passed",
    "void_in",
]
"""All that a check.py needs; it imports nothing else of the lab."""

Piece = TypeVar("Piece")
"""Of the evidence."""


class State(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    MISSING = "not yet"
    AGAIN = "measure again"


@dataclass(frozen=True)
class Outcome:
    """What came of a check, with the sentence that says why."""

    state: State
    said: str

    @property
    def passed(self) -> bool:
        """Whether the evidence is there."""
        return self.state == State.PASSED


def passed(said: str) -> Outcome:
    """Give the outcome for evidence that is there; `said`: what it shows."""
    return Outcome(State.PASSED, said)


def missing(said: str) -> Outcome:
    """Give the outcome for evidence that is not there; `said`: which piece it is."""
    return Outcome(State.MISSING, said)


def again(said: str) -> Outcome:
    """Give the outcome for a measurement that cannot be trusted; `said`: why."""
    return Outcome(State.AGAIN, said)


def any_of(found: Iterable[Piece], judged: Callable[[Piece], Outcome | None], nothing: str) -> Outcome:
    """The first that passes, be it a run or a record; else what is to be said of the newest that is about this at all.

    `judged` gives None for one that is about something else; `nothing` is said where all are.
    """
    told: Outcome | None = None
    for piece in found:
        outcome = judged(piece)
        if outcome and outcome.passed:
            return outcome
        told = told or outcome
    return told or missing(nothing)


def all_of(*parts: Outcome) -> Outcome:
    """Pass where every part does; otherwise say what is wrong with the first that does not, and how many are there."""
    open_parts = [part for part in parts if not part.passed]
    if not open_parts:
        return passed(" ".join(part.said for part in parts))
    done = len(parts) - len(open_parts)
    there = f" ({done} of {len(parts)} parts are there)" if len(parts) > 1 else ""
    return Outcome(open_parts[0].state, f"{open_parts[0].said}{there}")


def void_in(run: Run, *servers: str) -> Outcome | None:
    """Ask to measure again where one of these servers was measured and none of its windows can be trusted."""
    for server in servers:
        row = run.row(server)
        if row and not measured(row) and (reasons := run.voids(server)):
            return again(f"In {run.name} every window of {reasons[0]}.")
    return None


def is_twin(row: ServerRow) -> bool:
    """Whether it is a variant without any changed setting, as its pattern says it."""
    return row.variant_of is not None and row.pattern.endswith(f"the same as {row.variant_of}")


def both_at(first: ServerRow, second: ServerRow) -> Sequence[tuple[LoadRow, LoadRow]]:
    """The loads of two servers at the rates at which both have one, lowest first."""
    theirs = {load.rate_rps: load for load in measured(second)}
    return [(load, theirs[load.rate_rps]) for load in measured(first) if load.rate_rps in theirs]
