"""Which requests by name a report lists: the same rows in a terminal, in Markdown and in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsgilab.model.metrics import Place, shown
from wsgilab.model.outcomes import Rating
from wsgilab.model.request_row import RequestRow
from wsgilab.model.verdict import Verdict

COLUMNS = shown(Place.REQUEST_COLUMN)
EXPENDABLE = sorted(COLUMNS, key=lambda metric: -(2.5 if metric.percentile == 50 else metric.left_out))
"""In the order in which a narrow table does without them: the median before the failures."""


@dataclass(frozen=True)
class Listing:
    """The requests by name at one rate."""

    rate_rps: float
    rows: tuple[tuple[str, RequestRow], ...]
    """(server, request), by server, then in the order of the traffic."""
    left_out: int
    """How many more there are."""
    has_objectives: bool
    """Whether some requests have an objective of their own."""


def listing(verdict: Verdict, rate_rps: float, most: int) -> Listing | None:
    """At most so many; None where there are no names, or where a single one says no more than the whole does."""
    rows = [
        (server.server, row) for server in verdict.servers if (load := server.at(rate_rps)) for row in load.requests
    ]
    has_objectives = any(row.rating for _, row in rows)
    if not has_objectives and len({row.request for _, row in rows}) < 2:
        return None
    return Listing(rate_rps, _foremost(rows, most), max(0, len(rows) - most), has_objectives)


def _foremost(rows: Sequence[tuple[str, RequestRow]], most: int) -> tuple[tuple[str, RequestRow], ...]:
    """Those that missed their objective before the others, and slow ones before quick ones; in the order they had."""
    order = sorted(
        range(len(rows)), key=lambda number: (rows[number][1].rating is not Rating.BAD, -_p99_ms(rows[number][1]))
    )
    return tuple(rows[number] for number in sorted(order[:most]))


def _p99_ms(row: RequestRow) -> float:
    figure = row["p99_ms"]
    return figure.value if figure else 0.0
