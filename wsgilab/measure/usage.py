"""What a window cost its server, read from the exporters before, during and after it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace

from wsgilab.measure.inside import to_inside
from wsgilab.measure.readings import Reading
from wsgilab.model.window import RequestCost, Usage

NOTHING = RequestCost(0.0, 0.0, None)


def to_usage(
    before: Reading,
    during: Sequence[Reading],
    after: Reading,
    measured: tuple[float, float],
    rested: Reading | None = None,
    names: Sequence[str] = (),
) -> Usage:
    """The window's usage.

    `measured` is the measured part's start and end in epoch seconds. Ratios come from the readings inside it, so that
    the warm-up does not count; where fewer than two fell inside, from the whole of the window. `rested` is the last
    reading of the window before, `names` those of the traffic's requests, in its order.
    """
    counting = [reading for reading in during if measured[0] <= reading.at <= measured[1]]
    first, last = (counting[0], counting[-1]) if len(counting) >= 2 else (before, after)
    requests = last.requests - first.requests
    seen = [before, *during, after]
    return Usage(
        requests=after.requests - before.requests,
        cpu_ms_per_request=(last.cpu_s - first.cpu_s) * 1000 / requests if requests > 0 else None,
        service_ms=(last.busy_s - first.busy_s) * 1000 / requests if requests > 0 else None,
        memory_mb=max(reading.memory_bytes for reading in seen) / 1e6,
        in_flight_mean=statistics.fmean(reading.in_flight for reading in counting) if counting else None,
        listen_queue_max=max(reading.listen_queue for reading in seen),
        throttled_s=after.throttled_s - before.throttled_s,
        listen_overflows=after.listen_overflows - before.listen_overflows,
        oom_kills=after.oom_kills - before.oom_kills,
        restarts=len({reading.start_time for reading in seen}) - 1,
        samples=tuple(replace(reading.sample(), at=round(reading.at, 3)) for reading in seen),
        inside=to_inside(seen, counting, rested),
        by_request=dict(_costs(first, last, names)),
    )


def _costs(first: Reading, last: Reading, names: Sequence[str]) -> Iterator[tuple[str, RequestCost]]:
    """What the requests of each name took between two readings; nothing of those that none was answered of."""
    for number, name in enumerate(names):
        was, now = first.named.get(number, NOTHING), last.named.get(number, NOTHING)
        if now.requests > was.requests:
            cpu_s = None if now.cpu_s is None else now.cpu_s - (was.cpu_s or 0.0)
            yield name, RequestCost(now.requests - was.requests, now.busy_s - was.busy_s, cpu_s)
