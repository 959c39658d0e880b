"""What a response time is made of before any server under test has done a thing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Floor:
    """What generator, connection and machine take at one rate: the generator against an answer that takes no time."""

    rate_rps: float
    figures: Mapping[str, float]
    """Percentiles of response time in ms, by the keys of the metrics."""
