"""What several generators saw of one window, put together: exactly what a single one would have handed over. Pure.

Percentiles are of all requests together. Those of the parts are never averaged: the average of three p99 is no p99.
"""

from __future__ import annotations

import heapq
import math
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wsgilab.model.window import GeneratorShare, LoadResult, RequestResult

CHUNK = 65_536
"""Values that are sorted at a time: what is in memory as Python's own numbers, which take four times the room."""
LINE = re.compile(
    r'time="[^"]*" level=info msg="?R/(\d+)/(\d+)/(\d+)/(\d+(?:\.\d+)?(?:e[+-]?\d+)?)'
    r'/(ok|failed|wrong_server)/(-?\d+)["\s]'
)
"""A line of k6/load.js on the console, which logrus puts into quotes only where it must. Anchored: what an app answers
is on the console too, inside of quotes."""


class Quantiles:
    """Quantiles of any number of values, exactly. Each value takes eight bytes."""

    def __init__(self) -> None:
        self._ascending: list[array[float]] = []
        self._latest: list[float] = []

    def __len__(self) -> int:
        return sum(map(len, self._ascending)) + len(self._latest)

    def add(self, value: float) -> None:
        """One more."""
        self._latest.append(value)
        if len(self._latest) >= CHUNK:
            self._put_away()

    def ladder(self, rungs: Iterable[str]) -> dict[str, float]:
        """The quantile at each of these percentiles, as k6 computes them of its own values: between neighbours, on
        the straight line (TrendSink.P in k6's metrics/sink.go). Empty where there are no values.
        """
        self._put_away()
        last = len(self) - 1
        if last < 0:
            return {}
        places = {rung: float(rung) / 100 * last for rung in rungs}
        ranks = {rank for place in places.values() for rank in (math.floor(place), math.ceil(place))}
        ascending = enumerate(heapq.merge(*self._ascending))
        found = {rank: value for rank, value in ascending if rank in ranks}
        return {rung: _between(found, place) for rung, place in places.items()}

    def _put_away(self) -> None:
        if self._latest:
            self._ascending.append(array("d", sorted(self._latest)))
            self._latest = []


def _between(values: Mapping[int, float], place: float) -> float:
    lower, upper = values[math.floor(place)], values[math.ceil(place)]
    return lower + (upper - lower) * (place - math.floor(place))


class Times:
    """The response times of all good answers, together and by the number of the request's name."""

    def __init__(self) -> None:
        self.all = Quantiles()
        self.by_request: dict[int, Quantiles] = defaultdict(Quantiles)

    def add(self, took_ms: float, request: int) -> None:
        """One more answer; `request` is -1 where the traffic has no names."""
        self.all.add(took_ms)
        if request >= 0:
            self.by_request[request].add(took_ms)


@dataclass(frozen=True)
class RequestLine:
    """What a generator said of one request of the measured part, on a line of its console."""

    tick: int
    """Its place in the schedule, from 0 on."""
    sent_at_ms: int
    """Epoch milliseconds."""
    status: int
    """0 where there was no answer."""
    took_ms: float
    outcome: str
    """`ok`, `failed` or `wrong_server`."""
    request: int
    """Which of the traffic's names, from 0 on; -1 where it has none."""


def request_lines(console: Iterable[str]) -> Iterator[RequestLine]:
    """The requests that a console tells of, as they come; other lines, and those that are cut off, are left out."""
    for line in console:
        if said := LINE.match(line):
            tick, sent_at_ms, status, took_ms, outcome, request = said.groups()
            yield RequestLine(int(tick), int(sent_at_ms), int(status), float(took_ms), outcome, int(request))


@dataclass(frozen=True)
class Part:
    """What one generator handed over."""

    share: GeneratorShare
    result: LoadResult
    """By its own summary, which knows its own requests only."""
    scheduled_in_all: int
    """The ticks of the whole schedule."""


def merged(parts: Sequence[Part], times: Times) -> LoadResult:
    """One result of them all. `times` has every good answer of every part.

    Counts are sums; the ladder is computed anew from every single response time.
    """
    results = [part.result for part in parts]

    def total(name: str) -> int:
        return sum(getattr(result, name) for result in results)

    sent = total("sent")
    scheduled = max(sent, *(part.scheduled_in_all for part in parts))
    rungs = dict.fromkeys(rung for result in results for rung in result.ladder_ms)
    return LoadResult(
        scheduled=scheduled,
        sent=sent,
        dropped=scheduled - sent,
        ok=total("ok"),
        ok_in_time=total("ok_in_time"),
        failed=total("failed"),
        unanswered=total("unanswered"),
        wrong_server=total("wrong_server"),
        statuses=_sums(result.statuses for result in results),
        ladder_ms=times.all.ladder(rungs),
        total_requests=total("total_requests"),
        total_sent=total("total_sent"),
        # Only the one that has the first tick knows when the first request left.
        started_at=min((result.started_at for result in results if result.started_at), default=0.0),
        wall_s=max(result.wall_s for result in results),
        k6_cpu_s=sum(result.k6_cpu_s for result in results),
        lag_ms=max(result.lag_ms for result in results),
        vus_max=total("vus_max"),
        k6_wait_s=sum(result.k6_wait_s for result in results),
        by_request=_by_request(results, times),
        unexpected_text=total("unexpected_text"),
        expected=_sums(result.expected for result in results),
        reused=None if any(result.reused is None for result in results) else total("reused"),
        total_ok=None if any(result.total_ok is None for result in results) else total("total_ok"),
        generators=tuple(part.share for part in parts) if len(parts) > 1 else (),
    )


def _by_request(results: Sequence[LoadResult], times: Times) -> dict[str, RequestResult]:
    """In the order of the traffic, which is that of each part."""
    names = enumerate(results[0].by_request)
    return {name: _request(name, results, times.by_request[number]) for number, name in names}


def _request(name: str, results: Sequence[LoadResult], times: Quantiles) -> RequestResult:
    found = [result.by_request[name] for result in results]
    sent = sum(one.sent for one in found)
    rungs = dict.fromkeys(rung for one in found for rung in one.ladder_ms)
    return RequestResult(
        scheduled=max(sent, *(one.scheduled for one in found)),  # each of them knows the whole schedule of its name
        sent=sent,
        ok=sum(one.ok for one in found),
        ladder_ms=times.ladder(rungs),
    )


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    together: Counter[str] = Counter()
    for one in counts:
        together.update(one)
    return dict(together)
