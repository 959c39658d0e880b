"""Slots ÷ time inside the app: what a server has room for, reckoned with the slots that were seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wsgilab.analysis import stats
from wsgilab.analysis.causes.evidence import Evidence, Slots, busy_cores
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.interval import Interval
from wsgilab.model.server import ServerFacts
from wsgilab.model.window import Inside, Window

ENOUGH = 0.9
"""From this share of slots ÷ service time on, slots explain a wait: both figures are means, and queues grow before."""
TAKEN = 0.85
"""From this share of the slots seen on, taken on average, they were all there is."""
CROWDED = 0.85
"""CPUs in use, of those that the servers share, from which on it was not for want of slots that no more were in use."""
MORE = 1.25
"""How many times the declared slots must be seen: a body that is closed late makes one request overlap the next."""
GREENLETS = "gunicorn-gevent"


def observe(server: ServerFacts, windows: Sequence[Window], cores: int) -> Slots:
    """The slots of a server, by what all its windows showed."""
    seen = [(window, count) for window in windows if (count := at_once(window)) is not None]
    most = max((count for _, count in seen), default=0)
    if server.slots is None:
        full = [count for window, count in seen if _shows_all(window, count, cores)]
        known = server.concurrency != words.UNKNOWN
        return Slots(None, None if known else max(full, default=None))
    if most >= max(server.slots + 1, MORE * server.slots):
        return Slots(server.slots, most)
    if most < server.slots:
        full = [count for window, count in seen if _shows_all(window, count, cores)]
        return Slots(server.slots, max(full, default=None))
    return Slots(server.slots)


def at_once(window: Window) -> int | None:
    """Requests inside the app at the same time at most; a worker and the one that replaces it count once."""
    inside = window.usage.inside if window.usage else None
    if inside is None or inside.at_once is None:
        return None
    if inside.workers_max and inside.at_once_in_one_process:
        return min(inside.at_once, inside.workers_max * inside.at_once_in_one_process)
    return inside.at_once


def do_not_overlap(evidence: Evidence) -> Cause | None:
    """Each process had one request inside the app at a time, though it is set to have many, and others waited."""
    declared, workers, seen = evidence.slots.declared, _workers(evidence), evidence.slots.seen
    if declared is None or not workers or seen is None or seen > workers or declared < 2 * workers:
        return None
    if any(inside.at_once_in_one_process != 1 for inside in evidence.insides):
        return None
    service_ms = evidence.service_ms
    law = f", so {_law(seen, service_ms)}" if service_ms else ""
    sentence = f"requests do not overlap inside a worker ({declared // workers} at once were expected){law}"
    return Cause(Kind.SLOTS, f"{sentence}: {_what_blocks(evidence)}")


def too_few(evidence: Evidence) -> Cause | None:
    """More was offered than the slots have room for."""
    count, rate_rps = evidence.slots.count, evidence.rate_rps
    service_ms = max(evidence.alone_ms or 0.0, evidence.service_ms or 0.0)
    if count is None or not service_ms or rate_rps < ENOUGH * count / service_ms * 1000:
        return None
    declared, seen = evidence.slots.declared, evidence.slots.seen
    how = f" seen ({declared} declared)" if seen is not None and declared is not None else ""
    said = f"limited by slots: {_law(count, service_ms, how)}, {words.rps(rate_rps)} offered"
    return Cause(Kind.SLOTS, f"{said}{_workers_changed(evidence)}")


def taken(evidence: Evidence) -> str:
    """`3.2 of 8 slots taken`; empty where that is not known."""
    goodput, service_ms, count = evidence.goodput_rps, evidence.service_ms, evidence.slots.count
    if goodput is None or service_ms is None or count is None:
        return ""
    return f"{goodput * service_ms / 1000:.1f} of {words.counted(count, 'slot')} taken"


def needed(rate_rps: float, service_ms: float) -> int:
    """The slots that this rate takes at least: Little's law, rate x time, in whole slots."""
    return math.ceil(rate_rps * service_ms / 1000 - 1e-9)


def is_full(window: Window) -> bool:
    """Whether requests waited for a slot in this window, or got none."""
    load, usage = window.load, window.usage
    if load is None or usage is None or usage.service_ms is None:
        return False
    if (load.unanswered + load.dropped) > 0.01 * load.scheduled:
        return True
    median = stats.percentile_ms(window, 50)
    return median is not None and median.value > 1.5 * usage.service_ms + 5


def _shows_all(window: Window, count: int, cores: int) -> bool:
    """Whether the requests inside the app were as many as the server can have there: others waited for a place."""
    usage, goodput = window.usage, stats.goodput_rps(window)
    if usage is None or usage.service_ms is None or goodput is None or not is_full(window):
        return False
    taken = max(goodput * usage.service_ms / 1000, usage.in_flight_mean or 0.0)
    return taken >= TAKEN * count and (busy_cores(window) or 0.0) < CROWDED * cores


def _law(count: int, service_ms: float, how: str = "") -> str:
    """`4 slots ÷ 22.4 ms = 179 rps`."""
    slots = f"{words.counted(count, 'slot')}{how}"
    return f"{slots} ÷ {words.duration(Interval(service_ms))} = {count / service_ms * 1000:.0f} rps"


def _workers(evidence: Evidence) -> int:
    return max((inside.workers_max or 0 for inside in evidence.insides), default=0)


def _what_blocks(evidence: Evidence) -> str:
    if GREENLETS in (evidence.server.name, evidence.server.variant_of):
        return "something blocks under gevent (patched after the app's imports?)"
    return "something holds the whole process (a blocking call under greenlets, or C code that keeps the GIL?)"


def _workers_changed(evidence: Evidence) -> str:
    """`; the workers went from 1 to 4 in the run`, of those that were there when the window began and ended."""
    known = [inside for inside in evidence.insides if _is_known(inside)]
    low, high = (min((inside.workers_min or 0 for inside in known), default=0), _workers(evidence))
    return f"; there were {low} to {high} workers" if known and low < high else ""


def _is_known(inside: Inside) -> bool:
    return inside.workers_min is not None and inside.workers_max is not None
