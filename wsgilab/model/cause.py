"""Why a server did not keep the objective, as far as the evidence goes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Where a cause lies, in the order in which evidence is looked at."""

    ANSWER = "answer"
    DEATH = "death"
    APP = "app"
    CPU = "CPU"
    SLOTS = "slots"
    QUEUE = "queue"
    UNEXPLAINED = "not explained"


@dataclass(frozen=True)
class Cause:
    """One thing that the evidence shows, in words that stand in every report."""

    kind: Kind
    sentence: str
    """With its law and its numbers; begins small and ends without a full stop."""
    explains: bool = True
    """Whether it is enough to explain a missed objective; otherwise it is worth a word all the same."""
    of_app: bool = False
    """Whether it is the app's: no other server and no other setting would help."""
