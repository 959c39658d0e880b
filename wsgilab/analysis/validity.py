"""Reasons to void a window: the measurement failed, so its figures say nothing about the server.

A server that cannot keep up is a result. Late, failed, dropped and unanswered requests, a full backlog, a dead server
are what was measured, and void nothing. Each rule is one function: a sentence with the numbers, or None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from wsgilab.analysis import counts
from wsgilab.model.window import LoadResult, Sample, Usage, Window
from wsgilab.model.words import counted

SLOT_SHARE = 1.1
"""Throughput over requests at once ÷ service time. The bound is exact in theory; 10 % covers that both are means over
slightly different stretches of time."""
LITTLE_SAMPLES = 6
LITTLE_SPAN_S = 3.0
"""Fewer readings than this say nothing about a mean."""
LITTLE_SHARE = 0.5
LITTLE_SIGMAS = 4.0
"""Readings of in-flight requests scatter like counts: their standard deviation is about the square root."""


def void_reason(window: Window) -> str | None:
    """Why the window cannot be trusted, as one sentence; None where it can.

    That its generator was the limit is said by the generator itself (see `generator_limit` for k6).
    """
    load, usage = window.load, window.usage
    if load is None:
        return no_result(window)
    reason = wrong_server(load)
    if reason or usage is None or usage.restarts:
        return reason  # a server that was replaced took its counters with it
    return (
        counts_disagree(window, load, usage)
        or faster_than_possible(window, load, usage)
        # A worker that is killed (by Gunicorn's timeout, say) takes the time of its requests along, and they fail.
        or (little_broken(usage.samples) if load.failed == 0 else None)
    )


def no_result(window: Window) -> str | None:
    """k6 handed nothing over, and not because the server died."""
    return None if window.died else "k6 gave no result"


def wrong_server(load: LoadResult) -> str | None:
    """Answers came from another server than the one under test."""
    if load.wrong_server == 0:
        return None
    return f"{counted(load.wrong_server, 'answer')} came from another server"


def counts_disagree(window: Window, load: LoadResult, usage: Usage) -> str | None:
    """k6 and the app's own counter saw different numbers of requests, and not for a call of the app to itself."""
    if not counts.disagree(window):
        return None
    seen = f"k6 sent {load.total_sent} requests and got {load.total_requests} answers, the app counted"
    return f"the counts disagree: {seen} {usage.requests:.0f}"


def faster_than_possible(window: Window, load: LoadResult, usage: Usage) -> str | None:
    """More answers than the requests that the app saw at once ÷ service time allow: another server helped.

    Both figures are the app's own, so no declaration can be wrong here.
    """
    slots = usage.inside.at_once if usage.inside else None
    if not slots or not usage.service_ms:
        return None
    limit = slots / usage.service_ms * 1000
    served = load.ok_in_time / window.plan.schedule_s
    if served <= SLOT_SHARE * limit:
        return None
    return (
        f"{served:.0f} rps served, but the app had {counted(slots, 'request')} at once at most, which in "
        f"{usage.service_ms:.1f} ms each allow {limit:.0f} rps"
    )


def little_broken(samples: Sequence[Sample]) -> str | None:
    """Little's law, L = λW: the mean of the in-flight gauge is the time spent in the app per second of clock.

    Both sides come from the middleware by different ways: a gauge read now and then, a sum at each request's end. From
    idle to idle the law is exact, whatever the load did in between; a server that never drained cannot be held to it.
    """
    if len(samples) < LITTLE_SAMPLES or samples[-1].in_flight > 0:
        return None
    span_s = samples[-1].at - samples[0].at
    if span_s < LITTLE_SPAN_S:
        return None
    expected = (samples[-1].busy_s - samples[0].busy_s) / span_s
    seen = math.fsum((a.in_flight + b.in_flight) / 2 * (b.at - a.at) for a, b in pairwise(samples)) / span_s
    scatter = LITTLE_SIGMAS * math.sqrt(max(expected, 1.0) / len(samples))
    if abs(seen - expected) <= LITTLE_SHARE * max(expected, seen) + scatter:
        return None
    found = f"{seen:.1f} requests in flight on average, {expected:.1f} by rate × service time"
    return f"readings contradict Little's law: {found}"
