"""The requests of one name in verdict.json: what came of them under one server at one rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Rating


@dataclass(frozen=True)
class RequestRow:
    """The requests of one name."""

    request: str
    """Its name in lab.toml."""
    scheduled: int
    """In all valid windows."""
    slo: str
    """The objective that it has besides that of all; empty where it has none."""
    rating: Rating | None
    """Whether that was kept; null where it has none."""
    why: str
    figures: Mapping[str, Interval | None]
    """By the keys of the metrics."""

    def __getitem__(self, figure: str) -> Interval | None:
        return self.figures[figure]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; its figures stand among the rest."""
        plain = {name: value for name, value in asdict(self).items() if name not in ("figures", "rating")}
        figures = {name: interval and interval.to_json() for name, interval in self.figures.items()}
        return {**plain, "verdict": self.rating, **figures}
