"""The traffic of an app as an access log has it, in the common or the combined format of Apache and nginx.

(https://httpd.apache.org/docs/current/logs.html#accesslog)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from wsgilab.errors import UsageError
from wsgilab.lab.drafts import METHODS, Collected, Draft
from wsgilab.model.request import MAX_RATE_RPS

LINE = re.compile(
    r'^\S+ \S+ \S+ \[(?P<at>[^\]]+)\] "(?P<method>[A-Z]+) (?P<target>\S+)(?: HTTP/[\d.]+)?" '
    r"(?P<status>\d{3}) (?:\d+|-)(?: .*)?$"
)
TIME = "%d/%b/%Y:%H:%M:%S %z"


def from_log(lines: Iterable[str], values: bool = False) -> Draft:
    """The mix of a log, which may be larger than the memory. Raises UsageError where hardly a line is one of it.

    `values`: whether what was in paths and query strings is wanted.
    """
    collected = Collected(values)
    seconds: Counter[int] = Counter()
    read = unread = 0
    for line in lines:
        found = LINE.match(line.strip())
        if not found or found["method"] not in METHODS:
            unread += bool(line.strip())
            continue
        read += 1
        if at := _epoch(found["at"]):
            seconds[at] += 1
        collected.add(found["method"], found["target"], found["status"])
    if unread > read:
        raise UsageError(
            f"{unread} of {read + unread} lines are not from an access log in the common or combined format.",
            'another kind of file; lines look like 127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 26',
            "./lab init --help",
        )
    notes = [f"{unread} lines that are not in that format"] if unread else []
    return collected.draft(f"an access log of {read} requests", _rates(seconds), notes)


def _rates(seconds: Counter[int]) -> tuple[float, ...]:
    """(mean, busiest second) in requests per second; the mean over the time that the log covers."""
    if len(seconds) < 2:
        return ()
    mean = sum(seconds.values()) / (max(seconds) - min(seconds) + 1)
    rounded = min(float(f"{max(mean, 0.1):.2g}"), MAX_RATE_RPS)
    peak = float(min(max(seconds.values()), MAX_RATE_RPS))
    return (rounded, peak) if peak > rounded else (rounded,)


@lru_cache(maxsize=64)
def _epoch(text: str) -> int | None:
    """The second that a line names, much like the lines before it."""
    try:
        return int(datetime.strptime(text, TIME).timestamp())
    except (ValueError, OverflowError):
        return None
