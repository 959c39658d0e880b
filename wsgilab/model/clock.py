"""The clock of another machine: how far it is ahead, by questions that were asked there. Pure."""

from __future__ import annotations

from dataclasses import dataclass

PINGS = 5
"""So many questions tell enough: the fastest answer counts."""


@dataclass(frozen=True)
class Clock:
    """How far another machine's clock is ahead of this one's."""

    ahead_s: float = 0.0
    within_s: float = float("inf")
    """Half of the time that a word and its answer took: it cannot be off by more."""


NO_CLOCK = Clock()
"""Nothing is known of it."""


def better(known: Clock, sent: float, answered: float, heard: float) -> Clock:
    """The clock by one more question: the faster the answer came, the more it says."""
    found = Clock(answered - (sent + heard) / 2, (heard - sent) / 2)
    return found if found.within_s < known.within_s else known
