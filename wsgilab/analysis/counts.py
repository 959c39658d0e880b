"""k6's count of requests against the app's own: whether they can be the same requests, and if not, who sent the others.

The app counts at least the good answers that k6 got, and at most what k6 sent: a request that k6 gave up may be served
later, or may never reach the app, and a server or its proxy may refuse some by itself. An app that calls itself counts
more, and so it does where somebody else asks. The first stops when k6 stops, and goes on all the while that k6 does.
"""

from __future__ import annotations

from wsgilab.model.window import LoadResult, Sample, Usage, Window

SHARE, SLACK = 0.01, 3
"""How far the counts may be apart: health checks, and requests on their way when a counter was read."""
STOPPED = 0.2
"""Up to this share of what it was, nobody but the app itself sent the others."""
LEAST_SHARE, LEAST_SAMPLES = 0.3, 3
"""Each half of the measured part must have at least this share of what half of the others would be."""
MOST_CALLS = 20


def disagree(window: Window) -> bool:
    """Whether some of k6's good answers are not the app's, or the app had requests of somebody else."""
    load, usage = window.load, window.usage
    if load is None or usage is None:
        return False
    # Of an earlier k6/load.js it is not known how many of the answers in the warm-up were good.
    least = load.total_requests - load.failed if load.total_ok is None else load.total_ok
    return usage.requests < least - _slack(load) or (counted_more(load, usage) > 0 and calls_each(window) == 1)


def counted_more(load: LoadResult, usage: Usage) -> float:
    """How many requests the app counted that k6 did not send; 0 where all may be k6's."""
    more = usage.requests - load.total_sent
    return more if more > _slack(load) else 0.0


def calls_each(window: Window) -> float:
    """How many requests the app counted for each that k6 sent, where the app itself sent the others; else 1.

    Earlier versions did not look whether it stopped with k6. There it is taken for a call of its own only where it is a
    whole number for all of them: somebody else's load would have to be the same as k6's.
    """
    load, usage = window.load, window.usage
    more = counted_more(load, usage) if load and usage else 0.0
    if load is None or usage is None or not more:
        return 1
    whole = _whole_number(load, usage)
    if usage.asked_alone_rps is None:
        return whole or 1
    if usage.asked_alone_rps > STOPPED * more / (load.wall_s or 1.0) or _came_in_a_burst(window, load):
        return 1
    return whole or usage.requests / max(1, load.total_sent)


def _came_in_a_burst(window: Window, load: LoadResult) -> bool:
    """Whether hardly any of the others fell into one half of the measured part; no, where readings cannot tell."""
    samples = window.measured_samples
    if len(samples) < LEAST_SAMPLES or samples[-1].at <= samples[0].at:
        return False
    own_rps, middle = load.sent / window.plan.schedule_s, len(samples) // 2
    halves = [_others(samples[0], samples[middle], own_rps), _others(samples[middle], samples[-1], own_rps)]
    spans = [samples[middle].at - samples[0].at, samples[-1].at - samples[middle].at]
    each_s = sum(halves) / sum(spans)
    return any(others < LEAST_SHARE * each_s * span_s for others, span_s in zip(halves, spans, strict=True))


def _others(before: Sample, after: Sample, own_rps: float) -> float:
    """Requests that the app counted from one reading to another and k6 did not send."""
    return after.requests - before.requests - own_rps * (after.at - before.at)


def _whole_number(load: LoadResult, usage: Usage) -> int:
    """How many times as many it is, where all of k6's requests may have as many; else 0."""
    slack, times = _slack(load), round(usage.requests / max(1, load.total_requests))
    is_whole = times * (load.total_requests - slack) <= usage.requests <= times * (load.total_sent + slack)
    return times if load.total_requests and 2 <= times <= MOST_CALLS and is_whole else 0


def _slack(load: LoadResult) -> float:
    return SLACK + SHARE * load.total_requests
