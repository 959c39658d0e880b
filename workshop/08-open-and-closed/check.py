"""Whether a pause was seen by the open load, and overlooked by the closed one."""

from wsgilab.workshop.checks import Evidence, Outcome, Record, again, any_of, missing, passed

SHORTEST_PAUSE_S = 0.3
APART = 4.0
"""How many times the p99 of the closed load that of the open one must be."""


def check(evidence: Evidence) -> Outcome:
    return any_of(evidence.records_of("two-loads"), judged, "A result of two_loads.py is missing.")


def judged(record: Record) -> Outcome:
    try:
        stall_s = float(record.data["stall_s"])
        closed, by_clock = (float(record.data[load]["p99_ms"]) for load in ("closed", "open"))
    except (KeyError, TypeError, ValueError):
        return missing(f"{record.name} is damaged: a result of two_loads.py is missing.")
    if stall_s < SHORTEST_PAUSE_S:
        return missing(f"In {record.name} nothing happened to the server meanwhile: a pause is missing.")
    if by_clock < stall_s * 1000 / 2 or by_clock < APART * closed:
        return again(f"In {record.name} p99 is {closed:g} ms closed and {by_clock:g} ms open: something else was busy.")
    return passed(f"A pause of {stall_s:g} s: p99 {closed:g} ms by the closed load, {by_clock:g} ms by the open one.")
