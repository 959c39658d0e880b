"""A figure and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval. `low` and `high` are None where there were too few windows for one."""

    value: float
    low: float | None = None
    high: float | None = None
    censored: bool = False
    """The value is a bound: the true one is larger (it was cut off at the timeout)."""

    def to_json(self) -> dict[str, Any]:
        """The `I` of verdict.json."""
        plain: dict[str, Any] = {"value": self.value, "low": self.low, "high": self.high}
        return {**plain, "censored": True} if self.censored else plain
