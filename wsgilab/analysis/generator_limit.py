"""When a window shows k6 and not the server: k6 was short of CPU, or behind its schedule.

Each rule is one function: a sentence with the numbers, or None. That k6 runs out of VUs because answers are late is
none of them: it is the server's failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from wsgilab.model.window import GeneratorShare, LoadResult
from wsgilab.model.words import counted

K6_CPU_SHARE = 0.9
"""Of the CPU time that k6 could have had over its whole run. Above it k6 itself was the slow part: already at half a
core its own p99 grows by milliseconds."""
WAIT_OVER_CPU = 1.0
WAIT_SHARE = 0.15
"""k6 is starved when it waits for a CPU for longer than it gets one: it has less than half of what it wants. Its
schedule alone does not show it: with a busy loop on its core k6 sends each request a few milliseconds late, and reads
each answer a few late, far below LAG_MS. The share of its whole run keeps a window with hardly any load from being
judged by how k6 started."""
LAG_MS = 100.0
"""How late k6 may send one request. Lateness hides in no figure of the server (a late request is timed from when it
left), so it would be lost; scheduling hiccups of a shared machine stay well below this."""
SCHEDULE_SHARE = 0.01
"""Requests that k6 may owe its schedule. More would move a p99 by themselves."""
SPREAD_MS = 20.0
"""How far apart several generators may begin. At the start line it was 2 to 4 ms, without one 12 to 63 ms. Beyond it,
requests of one come closer to those of another than the schedule says."""
EXTRA_SHARE = 0.1
"""What a generator may send beyond its share where it dropped requests: it then cannot tell the last tick of its
schedule from those after it."""


class Driven(Protocol):
    """What k6 did, alone or as one of several. Fields as those of GeneratorShare."""

    @property
    def scheduled(self) -> int:
        """Ticks of the schedule that were its own."""

    @property
    def sent(self) -> int:
        """Those that it sent."""

    @property
    def dropped(self) -> int:
        """Those for which it had no free VU."""

    @property
    def wall_s(self) -> float:
        """How long it ran."""

    @property
    def k6_cpu_s(self) -> float:
        """CPU time that it used."""

    @property
    def k6_wait_s(self) -> float:
        """How long it waited for a CPU while ready to run."""

    @property
    def lag_ms(self) -> float:
        """How late it was at most."""


def generator_limit(load: LoadResult, cpus: int) -> str | None:
    """Why the generator was the limit, as one sentence; None where it was not. `cpus`: how many it may use."""
    if load.generators:
        return generators_limit(load.generators)
    return starved_generator([load], cpus) or crowded_generator(load) or late_generator(load) or unsent_requests(load)


def generators_limit(shares: Sequence[GeneratorShare]) -> str | None:
    """The same for several generators that share a schedule.

    It is one limit for all: where one of them was held up, the requests of the others are no whole schedule.
    """
    if reason := uneven_shares(shares) or starts_apart(shares):
        return reason
    for host in dict.fromkeys(share.host for share in shares):
        there = [share for share in shares if share.host == host]
        if reason := starved_generator(there, there[0].cpus):
            return f"{reason} ({', '.join(share.name for share in there)})" if host else reason
    for share in shares:
        if reason := crowded_generator(share) or late_generator(share) or unsent_requests(share):
            return f"{share.name}: {reason}"
    return None


def uneven_shares(shares: Sequence[GeneratorShare]) -> str | None:
    """A generator had another part of the schedule than its own, or none, and the others had to do with it."""
    in_all, count = sum(share.scheduled for share in shares), len(shares)
    for share in shares:
        if share.schedule_at == 0:
            return f"{share.name} sent nothing: its schedule never began"
        extra = max(2, (EXTRA_SHARE if share.dropped else SCHEDULE_SHARE) * share.scheduled)
        if share.sent + share.dropped > share.scheduled + extra:
            return _uneven(share, share.sent + share.dropped, in_all, count)
    farthest = max(shares, key=lambda share: abs(share.scheduled - in_all / count))
    if abs(farthest.scheduled - in_all / count) >= 1:
        return _uneven(farthest, farthest.scheduled, in_all, count)
    return None


def _uneven(share: GeneratorShare, its: int, in_all: int, count: int) -> str:
    return f"{share.name} had {its} of {counted(in_all, 'request')} to send, and not one in {count}"


def starts_apart(shares: Sequence[GeneratorShare]) -> str | None:
    """The schedules of the generators did not begin together."""
    first, last = (pick(shares, key=lambda share: share.schedule_at) for pick in (min, max))
    spread_ms = (last.schedule_at - first.schedule_at) * 1000
    if spread_ms <= SPREAD_MS:
        return None
    return f"the generators began {spread_ms:.0f} ms apart (bound {SPREAD_MS:.0f} ms): {last.name} was the last"


def starved_generator(together: Sequence[Driven], cpus: int) -> str | None:
    """k6 used all the CPU it could get; several on the same CPUs, all of them together."""
    wall_s = max(one.wall_s for one in together)
    if wall_s <= 0:
        return None
    cores = sum(one.k6_cpu_s for one in together) / wall_s
    if cores < K6_CPU_SHARE * cpus:
        return None
    return f"k6 was short of CPU: it used {cores:.2f} of its {counted(cpus, 'core')}, so it measured itself"


def crowded_generator(load: Driven) -> str | None:
    """Other programs used k6's CPUs."""
    if load.k6_wait_s <= max(WAIT_OVER_CPU * load.k6_cpu_s, WAIT_SHARE * load.wall_s):
        return None
    return f"k6 was short of CPU: ready to run, it waited {load.k6_wait_s:.1f} s, and ran for {load.k6_cpu_s:.1f} s"


def late_generator(load: Driven) -> str | None:
    """k6 sent requests later than its schedule said."""
    if load.lag_ms <= LAG_MS:
        return None
    return f"k6 fell behind its schedule by {load.lag_ms:.0f} ms (bound {LAG_MS:.0f} ms)"


def unsent_requests(load: Driven) -> str | None:
    """k6 neither sent nor dropped what the schedule called for. (Dropped: all its users were waiting for answers.)"""
    missing = load.scheduled - load.sent - load.dropped
    if missing <= max(2, SCHEDULE_SHARE * load.scheduled):
        return None
    return f"k6 fell behind its schedule: {missing} of {load.scheduled} requests were never started"
