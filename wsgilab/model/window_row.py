"""One window in verdict.json: its figures, what was seen beside it, and how it went over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wsgilab.model.interval import Interval

FIGURES = ("p50_ms", "p99_ms", "goodput_rps", "failed_ratio", "cpu_ms_per_request", "memory_mb")


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
    """By the names in FIGURES; one window has no interval."""
    moments: tuple[Moment, ...]

    @property
    def remarks(self) -> tuple[str, ...]:
        """Everything there is to say about it beside figures."""
        return (*([f"void: {self.void}"] if self.void else ()), *([self.died] if self.died else ()), *self.notes)

    def to_json(self) -> dict[str, Any]:
        """A window in verdict.json: figures as [value, censored], moments as their three numbers."""
        plain = {name: value for name, value in asdict(self).items() if name not in ("figures", "moments")}
        figures = {name: self.figures[name] for name in FIGURES}
        return {
            **plain,
            "notes": list(self.notes),
            "figures": {name: figure and [figure.value, figure.censored] for name, figure in figures.items()},
            "moments": [[each.at_s, each.answered_rps, each.in_flight] for each in self.moments],
        }
