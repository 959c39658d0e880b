"""Answers that are not 2xx. They count as failed, so in percentiles a mistyped path looks like a slow server. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from wsgilab.model import words
from wsgilab.model.interval import Interval
from wsgilab.model.window import Window

NO_ANSWER = "0"
WORTH_A_WORD = 0.01
"""Below this share of the requests, p99 does not tell either."""
TURNED_AWAY = "the server or nginx turned them away: too much load, or nothing behind it"
ADVICE = {
    **dict.fromkeys(("502", "503", "504"), TURNED_AWAY),
    "3": "a redirect is not followed: name the path that it leads to",
    "4": "is the path of --workload right, and open to everybody?",
    "5": "the app fails",
}


def ratio(windows: Sequence[Window]) -> float:
    """Share of the scheduled requests that got such an answer."""
    scheduled = sum(window.load.scheduled for window in windows if window.load)
    return _statuses(windows).total() / scheduled if scheduled else 0.0


def sentences(windows: Sequence[Window]) -> Iterator[str]:
    """For each server that gave enough of them to matter: how many, the commonest status, what to look at."""
    for server in dict.fromkeys(window.plan.server for window in windows):
        own = [window for window in windows if window.plan.server == server and window.void is None]
        share = ratio(own)
        if share < WORTH_A_WORD:
            continue
        ((status, _),) = _statuses(own).most_common(1)
        advice = ADVICE.get(status) or ADVICE.get(status[:1])
        mostly = f"mostly HTTP {status}{f': {advice}' if advice else ''}"
        much = words.percent(Interval(share))
        yield f"{server} answered {much} of its requests with something other than 2xx, {mostly}"


def _statuses(windows: Sequence[Window]) -> Counter[str]:
    found: Counter[str] = Counter()
    for window in windows:
        found.update(window.load.statuses if window.load else {})
    return Counter({status: count for status, count in found.items() if status != NO_ANSWER and status[:1] != "2"})
