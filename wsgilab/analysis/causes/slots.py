"""Slots ÷ time inside the app: what a server has room for, reckoned with the slots that were seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from wsgilab.analysis import stats
from wsgilab.analysis.causes.evidence import Evidence, busy_cores
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.interval import Interval
from wsgilab.model.slots import Slots
from wsgilab.model.window import Inside, Window

ENOUGH = 0.9
"""From this share of slots ÷ service time on, slots explain a wait: both figures are means, and queues grow before."""
TAKEN = 0.85
"""From this share of the slots seen on, taken on average, they were all there is."""
CROWDED = 0.85
"""CPUs in use, of those that the servers share, from which on it was not for want of slots that no more were in use."""
MORE = 1.25
"""How many times the declared slots must be seen: a body that is closed late makes one request overlap the next."""
QUICK = 0.1
GREENLETS = "gunicorn-gevent"


class Declared(Protocol):
    """As much of a server as is declared of its slots."""

    @property
    def slots(self) -> int | None:
        """As a number; None where nothing bounds them."""

    @property
    def concurrency(self) -> str:
        """As a person would write it."""


def observe(server: Declared, windows: Sequence[Window], cores: int) -> Slots:
    """The slots of a server, by what all its windows showed."""
    known = [(window, count) for window in windows if (count := at_once(window)) is not None]
    full = max((count for window, count in known if _shows_all(window, count, cores)), default=None)
    set_for = Slots(server.slots, configured=_configured(server, windows))
    if set_for.told is None:
        return replace(set_for, seen=full if server.concurrency == words.UNKNOWN else None)
    # A worker that ends and the one that replaces it may both be there for a moment.
    most = max((count for window, count in known if not _has_ends(window)), default=0)
    if most >= max(set_for.told + 1, MORE * set_for.told):
        return replace(set_for, seen=most, full=full is not None and full >= most)
    if any(count >= set_for.told for _, count in known):
        return set_for
    if full is None and set_for.configured is not None and most:
        return replace(set_for, seen=most, full=False)
    return replace(set_for, seen=full)


def _configured(server: Declared, windows: Sequence[Window]) -> int | None:
    """What the server says of itself, where that is not what was declared."""
    insides = [window.usage.inside for window in windows if window.usage and window.usage.inside]
    said = max((inside.slots_configured for inside in insides if inside.slots_configured), default=None)
    return None if said == server.slots else said


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
    declared, workers, seen = evidence.slots.told, _workers(evidence), evidence.slots.seen
    if declared is None or not workers or seen is None or not evidence.slots.full:
        return None
    if seen > workers or declared < 2 * workers:
        return None
    if any(inside.at_once_in_one_process != 1 for inside in evidence.insides):
        return None
    service_ms = evidence.service_ms
    law = f", so {_law(seen, service_ms)}" if service_ms else ""
    sentence = f"requests do not overlap inside a worker ({declared // workers} at once were expected){law}"
    return Cause(Kind.SLOTS, f"{sentence}: {_what_blocks(evidence)}")


def too_few(evidence: Evidence) -> Cause | None:
    """More was offered than the slots have room for, or had before workers were added."""
    count, rate_rps = evidence.slots.count, evidence.rate_rps
    service_ms = max(evidence.alone_ms or 0.0, evidence.service_ms or 0.0)
    if count is None or not service_ms or evidence.slots.may_be_more:
        return None
    least = min(_at_first(evidence), count)
    if rate_rps < ENOUGH * least / service_ms * 1000:
        return None
    law = _law(count, service_ms, _how(evidence.slots))
    if least < count:
        changed = f"{least / service_ms * 1000:.0f} to {count / service_ms * 1000:.0f} rps"
        low, high = _workers_first(evidence), _workers(evidence)
        law = f"{least} to {count} slots{_how(evidence.slots)} ÷ {words.duration(Interval(service_ms))} = {changed}"
        law += f" as {words.counted(low, 'worker')} became {high}"
    return Cause(Kind.SLOTS, f"limited by slots: {law}, {words.rps(rate_rps)} offered")


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


def has_room(evidence: Evidence) -> bool:
    """Whether the slots would do for this rate if nothing held the app up: by its quickest requests, too."""
    count, alone_ms = evidence.slots.count, evidence.alone_ms
    if count is None or not alone_ms:
        return True
    quick_ms = min([alone_ms, *(ms for inside in evidence.insides if (ms := _quick_ms(inside)) is not None)])
    return evidence.rate_rps < ENOUGH * count / quick_ms * 1000


def _quick_ms(inside: Inside) -> float | None:
    """What the quickest tenth of the requests took inside the app, at most."""
    total = inside.app_time_ms.get("+Inf", 0.0)
    edges = sorted((float(edge), within) for edge, within in inside.app_time_ms.items())
    return next((edge for edge, within in edges if total and within >= QUICK * total), None)


def _shows_all(window: Window, count: int, cores: int) -> bool:
    """Whether the requests inside the app were as many as the server can have there: others waited for a place."""
    usage, goodput = window.usage, stats.goodput_rps(window)
    if usage is None or usage.service_ms is None or goodput is None or not is_full(window):
        return False
    taken = max(goodput * usage.service_ms / 1000, usage.in_flight_mean or 0.0)
    # Where workers are added as it goes, there were fewer of them for a part of the time.
    enough = taken >= TAKEN * count or _grew(usage.inside)
    return enough and (busy_cores(window) or 0.0) < CROWDED * cores


def _has_ends(window: Window) -> bool:
    return bool(window.usage and window.usage.inside and window.usage.inside.worker_ends)


def _grew(inside: Inside | None) -> bool:
    """Whether the number of workers changed, and not because some of them ended."""
    if inside is None or inside.worker_ends or inside.workers_min is None or inside.workers_max is None:
        return False
    return inside.workers_min < inside.workers_max


def _how(slots: Slots) -> str:
    """` seen (8 declared)`, ` configured`."""
    if slots.seen is None or not slots.full:
        return "" if slots.configured is None else " configured"
    told = "configured" if slots.configured is not None else "declared"
    return f" seen ({slots.told} {told})" if slots.told is not None else ""


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


def _workers_first(evidence: Evidence) -> int:
    return min((inside.workers_min or 0 for inside in evidence.insides if _grew(inside)), default=0)


def _at_first(evidence: Evidence) -> float:
    """The slots that there were before workers were added; endless where none was."""
    grown = [inside for inside in evidence.insides if _grew(inside) and inside.at_once_in_one_process]
    slots = [(inside.workers_min or 0) * (inside.at_once_in_one_process or 0) for inside in grown]
    return min(slots, default=math.inf)
