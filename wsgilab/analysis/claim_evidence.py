"""What a run says about its servers, as the lesson's claims ask for it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsgilab.model.outcomes import Difference
from wsgilab.model.verdict import Comparison, LoadRow, ServerRow

BEYOND = 1.2
"""Offered rate over what one slot can serve, from which on one slot must fall behind."""


@dataclass(frozen=True)
class Evidence:
    """What a run says about its servers, one by one and in pairs."""

    rows: Mapping[str, ServerRow]
    comparisons: Sequence[Comparison]
    workload: str

    def loads(self, server: str) -> tuple[LoadRow, ...]:
        """The loads of a server that have a valid window, by rate."""
        row = self.rows.get(server)
        return tuple(load for load in row.loads if load.windows) if row else ()

    def shared(self, a: str, b: str) -> list[tuple[LoadRow, LoadRow]]:
        """The loads of both at every rate that both were offered."""
        others = {load.rate_rps: load for load in self.loads(b)}
        return [(load, others[load.rate_rps]) for load in self.loads(a) if load.rate_rps in others]

    def less(self, a: str, b: str, rate_rps: float, metric: str) -> str | None:
        """The server that is lower by a paired comparison; None where no difference is shown."""
        for pair in self.comparisons:
            if {pair.a, pair.b} == {a, b} and (pair.rate_rps, pair.metric) == (rate_rps, metric):
                return {Difference.A_LOWER: pair.a, Difference.B_LOWER: pair.b}.get(pair.result)
        return None

    def beyond_one_slot(self, server: str) -> list[LoadRow]:
        """The loads that offer more than one slot can serve: only they tell one slot from several."""
        row = self.rows.get(server)
        return [load for load in self.loads(server) if row and load.rate_rps > BEYOND * one_slot_rps(row)]


def one_slot_rps(row: ServerRow) -> float:
    """What one slot of a server can serve; endless where the time in the app is not known."""
    return 1000 / row.service_ms.value if row.service_ms and row.service_ms.value else math.inf
