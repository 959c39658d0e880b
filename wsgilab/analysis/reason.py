"""Why a server got its rating: one sentence, the cause first, then the numbers that decide. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from wsgilab.model import words
from wsgilab.model.cause import Kind
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Rating
from wsgilab.model.verdict import LoadRow, ServerRow

WORTH_A_WORD = 0.01
"""Share of answers other than 2xx below which p99 does not tell either."""
NO_ROOM = "no room to spare, so requests would queue in longer windows"
ALWAYS_SAID = (Kind.ANSWER, Kind.DEATH, Kind.QUEUE)
"""What is worth a word even where something else explains the result, or the result is good."""


def explain(row: ServerRow) -> str:
    """One sentence with the numbers that decide: the lowest rate it fails or is in doubt, else the highest."""
    load = deciding(row)
    if load is None:
        return "not measured"
    if load.deaths or not load.windows:
        return "; ".join([f"at {words.rps(load.rate_rps)}: {load.why}", *_remarks(load)])
    return "; ".join([_reason(row, load), load.why, *_remarks(load), *_others_than_2xx(load)])


def deciding(row: ServerRow) -> LoadRow | None:
    """The load that a server's rating rests on: the lowest that it fails or that is in doubt, else the highest."""
    undecided = [load for load in row.loads if load.rating == row.rating != Rating.GOOD]
    return next(iter(undecided), row.loads[-1] if row.loads else None)


def _reason(row: ServerRow, load: LoadRow) -> str:
    if load.rating is Rating.GOOD or load.cause is None:
        return next((cause.sentence for cause in load.causes if cause.kind is Kind.UNEXPLAINED), _room(row, load))
    return load.cause.sentence


def _room(row: ServerRow, load: LoadRow) -> str:
    """How many requests per second fit into the server's slots, and how many were offered."""
    offered = f"{words.rps(load.rate_rps)} offered"
    if row.slots_used is None and row.concurrency == words.UNKNOWN:
        return f"slots unknown, {offered}"
    if row.slots_used is None:
        return f"no slot limit (each request gets a thread), {offered}"
    slots = row.room.in_words()
    if row.slots_rps is None:
        return f"{slots}; {offered}"
    room = f"{slots} ÷ {words.duration(row.service_ms)} = about {row.slots_rps:.0f} rps, {offered}"
    is_full = load.rate_rps >= row.slots_rps and not row.room.may_be_more
    return f"{room}: {NO_ROOM}" if is_full else room


def _remarks(load: LoadRow) -> Iterator[str]:
    """What else was seen and does not go without saying."""
    told = None if load.rating is Rating.GOOD or load.deaths else load.cause
    for cause in load.causes:
        if cause is not told and cause.kind in ALWAYS_SAID:
            yield cause.sentence


def _others_than_2xx(load: LoadRow) -> list[str]:
    if load.refused_ratio < WORTH_A_WORD or any(cause.kind is Kind.ANSWER for cause in load.causes):
        return []
    return [f"{words.percent(Interval(load.refused_ratio))} answered with something other than 2xx"]
