"""Requests that wait for each other for ever: an app that calls itself needs a slot that it holds."""

from __future__ import annotations

from wsgilab.analysis.causes.evidence import NO_ANSWER, Evidence
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind

FEW_GOOD, HARDLY_ANY, IDLE_CORES = 0.5, 0.05, 0.1


def waits_for_itself(evidence: Evidence) -> Cause | None:
    """Every slot is taken, hardly anything is answered, and nobody works."""
    slots = evidence.slots.count
    if slots is None or not evidence.scheduled or not _hardly_answered(evidence):
        return None
    if not _all_taken(evidence, slots) or (evidence.busy_cores or 0.0) > IDLE_CORES * evidence.context.cores:
        return None
    held = "its only slot is" if slots == 1 else f"all its {slots} slots are"
    if evidence.context.calls_itself:
        sentence = f"deadlock: the app calls itself, and {held} held by the request that waits for the answer"
    else:
        sentence = (
            f"{held} held by {'a request that does' if slots == 1 else 'requests that do'} not end, with the CPU idle: "
            "an app that calls itself would wait like that (deadlock)"
        )
    return Cause(Kind.APP, f"{sentence}; {words.rps(evidence.rate_rps)} offered")


def _hardly_answered(evidence: Evidence) -> bool:
    """An app that is known to call itself may give up waiting, answer with an error, and so let some others through."""
    if evidence.context.calls_itself:
        return evidence.share(sum(load.ok for load in evidence.loads)) < FEW_GOOD
    return evidence.share(sum(n for status, n in evidence.statuses.items() if status != NO_ANSWER)) < HARDLY_ANY


def _all_taken(evidence: Evidence, slots: int) -> bool:
    """Whether every reading in the measured part found all slots taken."""
    means = [usage.in_flight_mean for usage in evidence.usages if usage.in_flight_mean is not None]
    return bool(means) and min(means) >= 0.9 * slots
