"""The last that a server wrote, kept with a window in which something was odd."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace

from wsgilab.measure import turned_away
from wsgilab.measure.generator import LoadGenerator
from wsgilab.model.privacy import private_text
from wsgilab.model.window import Window

MOST_LINES = 10
LONGEST_LINE = 240
NO_ANSWER = "0"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""Flask's built-in server writes its log in colours. Whatever else a terminal would obey is made visible in reports."""


def may_tell_of_refusals(window: Window) -> bool:
    """Whether some requests got no proper answer, and the app did not see them either: the server may say why."""
    load, usage = window.load, window.usage
    if load is None or usage is None or usage.requests >= load.total_sent:
        return False
    return any(status == NO_ANSWER or status[:1] in "45" for status in load.statuses)


def with_refusals(window: Window, written: str) -> Window:
    """The window with what the end of its server's log says of requests that it turned away."""
    refusals = turned_away.counted(written.splitlines())
    if not refusals or window.usage is None or window.usage.inside is None:
        return window
    return replace(window, usage=replace(window.usage, inside=replace(window.usage.inside, refusals=refusals)))


def is_odd(window: Window, generator: LoadGenerator) -> bool:
    """Whether a server's own words may explain this: void, a death of server or worker, an answer other than 2xx.

    Requests that were merely late leave nothing in a log, and no server knows why the generator was short of CPU.
    """
    inside = window.usage.inside if window.usage else None
    if window.died or (inside and (inside.worker_ends or inside.refusals)):
        return True
    if window.void:
        return window.load is None or generator.limit(window.load) is None
    return any(status[:1] not in "02" for status in (window.load.surprises if window.load else ()))


def with_log(window: Window, written: str, environment: Mapping[str, str]) -> Window:
    """The window with the last lines of what its server has written, without the secrets of its environment."""
    lines = [line.rstrip() for line in COLOUR.sub("", written).splitlines() if line.strip()][-MOST_LINES:]
    kept = (private_text(line, environment, os.path.expanduser("~")) for line in lines)
    return replace(window, log=tuple(line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…" for line in kept))
