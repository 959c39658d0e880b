"""Requests that wait for each other for ever: an app that calls itself needs a slot that it holds."""

from __future__ import annotations

from wsgilab.analysis.causes.evidence import Evidence
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.window import Window

IDLE_CORES = 0.1
LEAST_SAMPLES = 3


def waits_for_itself(evidence: Evidence) -> Cause | None:
    """Every slot is taken, hardly anything is answered, and nobody works."""
    slots = evidence.slots.count
    if slots is None or not evidence.scheduled or not _hardly_answered(evidence, slots):
        return None
    if not _all_taken(evidence, slots) or (evidence.busy_cores or 0.0) > IDLE_CORES * evidence.context.cores:
        return None
    held = "its only slot is" if slots == 1 else f"all its {slots} slots are"
    if evidence.calls_itself:
        sentence = f"deadlock: the app calls itself, and {held} held by the request that waits for the answer"
    else:
        endless, who = ("a request that does not end", "it") if slots == 1 else ("requests that do not end", "they")
        sentence = (
            f"{held} held by {endless}, with hardly any CPU used: {who} may wait for a lock, "
            "for something that does not answer, or for the app itself (deadlock)"
        )
    return Cause(Kind.APP, f"{sentence}; {words.rps(evidence.rate_rps)} offered")


def _hardly_answered(evidence: Evidence, slots: int) -> bool:
    """Whether no slot has come free even once; an app that is known to call itself may give up, with an error."""
    tells = evidence.calls_itself or slots == 1  # several slots may just be slow
    if tells and all(_stood_still(window, slots) for window in evidence.windows):
        return True
    ended = sum(usage.requests for usage in evidence.usages)
    if evidence.calls_itself and evidence.app_statuses:
        ended = sum(count for status, count in evidence.app_statuses.items() if status[0] == "2")
    return ended < slots * len(evidence.usages)


def _stood_still(window: Window, slots: int) -> bool:
    """Whether fewer requests ended in the measured part than there are slots: some may have been answered before."""
    samples = window.measured_samples
    return len(samples) >= LEAST_SAMPLES and samples[-1].requests - samples[0].requests < slots


def _all_taken(evidence: Evidence, slots: int) -> bool:
    """Whether every reading in the measured part found all slots taken."""
    means = [usage.in_flight_mean for usage in evidence.usages if usage.in_flight_mean is not None]
    return bool(means) and min(means) >= 0.9 * slots
