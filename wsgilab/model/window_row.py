"""One window in verdict.json: its figures, what else was seen, and how it went over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wsgilab.model.interval import Interval


@dataclass(frozen=True)
class Moment:
    """A stretch between two readings of the server's exporter."""

    at_s: float
    """Its end, in seconds since the first measured request; below 0 in the warm-up."""
    answered_rps: float
    """Requests that the app finished in it, per second."""
    in_flight: float
    """At its end, with those that waited in the listen queue."""


@dataclass(frozen=True)
class WindowRow:
    """One window."""

    server: str
    rate_rps: float
    round: int
    order: int
    duration_s: float
    void: str | None
    died: str | None
    notes: tuple[str, ...]
    """What the kernel did to the server meanwhile: a full listen queue, throttling, processes killed for memory."""
    figures: Mapping[str, Interval | None]
    """By the keys of the metrics; one window has no interval."""
    moments: tuple[Moment, ...]
    turns_with: str = ""
    """The server that it took turns with; empty where it was asked alone."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Everything there is to say about it besides figures."""
        turns = [f"in turns with {self.turns_with}"] if self.turns_with else []
        return (
            *turns,
            *([f"void: {self.void}"] if self.void else ()),
            *([self.died] if self.died else ()),
            *self.notes,
        )

    def to_json(self) -> dict[str, Any]:
        """A window in verdict.json: figures as [value, censored], moments as their three numbers."""
        plain = {name: value for name, value in asdict(self).items() if name not in ("figures", "moments")}
        return {
            **plain,
            "notes": list(self.notes),
            "figures": {key: figure and [figure.value, figure.censored] for key, figure in self.figures.items()},
            "moments": [[moment.at_s, moment.answered_rps, moment.in_flight] for moment in self.moments],
        }
