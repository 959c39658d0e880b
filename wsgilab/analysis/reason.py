"""Why a server got its verdict: one sentence with the numbers that decide. Pure."""

from __future__ import annotations

from wsgilab.analysis.error_answers import WORTH_A_WORD
from wsgilab.model import words
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Rating
from wsgilab.model.verdict import LoadRow, ServerRow

SLOTS_BIND = 0.9
"""From this share of slots ÷ service time on, slots explain a wait: both figures are means, and queues grow before."""


def explain(row: ServerRow) -> str:
    """One sentence with the numbers that decide: the lowest rate it fails or is in doubt, else the highest."""
    if not row.loads:
        return "not measured"
    undecided = [load for load in row.loads if load.rating == row.rating != Rating.GOOD]
    load = undecided[0] if undecided else row.loads[-1]
    if load.deaths or not load.windows:
        return f"at {words.rps(load.rate_rps)}: {load.why}"
    return f"{_room(row, load)}; {load.why}{_refused(load)}"


def _room(row: ServerRow, load: LoadRow) -> str:
    """How many requests per second fit into the server's slots, beside how many were offered."""
    offered = f"{words.rps(load.rate_rps)} offered"
    if row.slots is None and row.concurrency == words.UNKNOWN:
        return f"slots unknown, {offered}"
    if row.slots is None:
        return f"no slot limit (each request gets a thread), {offered}"
    limit = row.slots_rps
    if limit is None:
        return f"{words.counted(row.slots, 'slot')}; {offered}"
    slots = f"{words.counted(row.slots, 'slot')} ÷ {words.duration(row.service_ms)} = about {limit:.0f} rps"
    if load.rating == Rating.BAD and load.rate_rps < SLOTS_BIND * limit:
        return f"{slots}, so slots are not what binds; {offered}{_cpu_used(load)}"
    return f"{slots}, {offered}"


def _refused(load: LoadRow) -> str:
    if load.refused_ratio < WORTH_A_WORD:
        return ""
    return f"; {words.percent(Interval(load.refused_ratio))} answered with something else than 2xx"


def _cpu_used(load: LoadRow) -> str:
    cpu, served = load["cpu_ms_per_request"], load["goodput_rps"]
    return f" ({cpu.value * served.value / 1000:.2f} CPU cores busy)" if cpu and served else ""
