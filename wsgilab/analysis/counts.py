"""k6's count of requests against the app's own: whether they can be the same requests, and if not, who sent the others.

The app counts at least the good answers that k6 got, and at most what k6 sent: a request that k6 gave up may be served
later, or may never reach the app, and a server or its proxy may refuse some by itself. An app that calls itself counts
more, and so it does where somebody else asks. The first stops when k6 stops.
"""

from __future__ import annotations

from wsgilab.model.window import LoadResult, Usage

SHARE, SLACK = 0.01, 3
"""How far the counts may be apart: health checks, and requests on their way when a counter was read."""
STOPPED = 0.2
"""Up to this share of what it was, nobody but the app itself sent the others."""
MOST_CALLS = 20


def disagree(load: LoadResult, usage: Usage) -> bool:
    """Whether some of k6's good answers are not the app's, or the app had requests of somebody else."""
    # Of an earlier k6/load.js it is not known how many of the answers in the warm-up were good.
    least = load.total_requests - load.failed if load.total_ok is None else load.total_ok
    return usage.requests < least - _slack(load) or (counted_more(load, usage) > 0 and calls_each(load, usage) == 1)


def counted_more(load: LoadResult, usage: Usage) -> float:
    """How many requests the app counted that k6 did not send; 0 where all may be k6's."""
    more = usage.requests - load.total_sent
    return more if more > _slack(load) else 0.0


def calls_each(load: LoadResult, usage: Usage) -> float:
    """How many requests the app counted for each that k6 sent, where the app itself sent the others; else 1.

    Earlier versions did not look whether it stopped with k6. There it is taken for a call of its own only where it is a
    whole number for all of them: somebody else's load would have to be the same as k6's.
    """
    more = counted_more(load, usage)
    if not more:
        return 1
    if (whole := _whole_number(load, usage)) and usage.asked_alone_rps is None:
        return whole
    if usage.asked_alone_rps is None or usage.asked_alone_rps > STOPPED * more / (load.wall_s or 1.0):
        return 1
    return whole or usage.requests / max(1, load.total_sent)


def _whole_number(load: LoadResult, usage: Usage) -> int:
    """How many times as many it is, where all of k6's requests may have as many; else 0."""
    slack, times = _slack(load), round(usage.requests / max(1, load.total_requests))
    is_whole = times * (load.total_requests - slack) <= usage.requests <= times * (load.total_sent + slack)
    return times if load.total_requests and 2 <= times <= MOST_CALLS and is_whole else 0


def _slack(load: LoadResult) -> float:
    return SLACK + SHARE * load.total_requests
