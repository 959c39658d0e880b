"""Where the mean response time of a run went: handling, processing, sending, as Prometheus recorded it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from wsgilab.model.manifest import Manifest
from wsgilab.view.prometheus import Prometheus, Query, Series, Unanswered, Unusable, number

PARTS = {
    "server:connect_seconds:mean": "handling",
    "server:queue_seconds:mean": "handling",
    "server:nginx_seconds:mean": "handling",
    "server:app_seconds:mean": "processing",
    "server:transfer_seconds:mean": "sending",
}
OFFERED = "server:offered:rate"
QUERY = f'{{__name__=~"{"|".join([*PARTS, OFFERED])}"}}'
PATIENCE_S = 2.0
STEP_S = 1.0
LONGEST_S = 3 * 3600.0
"""Of a longer run, Prometheus would be asked for too much at once."""
NEAR = 0.1
"""So far from a rate, at most, is what k6 offers of it in a second."""


@dataclass(frozen=True)
class Stages:
    """One server at one rate: the mean time of each stage of a request."""

    server: str
    rate_rps: float
    handling_ms: float
    processing_ms: float
    sending_ms: float

    @property
    def total_ms(self) -> float:
        """All of a mean response: the parts of a mean add up, those of a percentile do not."""
        return self.handling_ms + self.processing_ms + self.sending_ms


def stages(prometheus: Prometheus, manifest: Manifest) -> list[Stages]:
    """Each server's stages at each rate of a run; none where Prometheus did not record it, or is not there."""
    span = _span(manifest)
    if span is None:
        return []
    try:
        series = prometheus.ask(Query(QUERY, *span, STEP_S), time.monotonic() + PATIENCE_S)
        moments = by_moment(series)
    except (Unanswered, Unusable):
        return []
    found = []
    for rate in manifest.rates_rps:
        for server in manifest.servers:
            seen = list(at_rate(moments.get(server.name, {}).values(), rate))
            if seen:
                found.append(_mean(server.name, rate, seen))
    return found


def by_moment(found: Iterable[Series]) -> dict[str, dict[float, dict[str, float]]]:
    """By server and moment, what each series says. Raises Unusable."""
    moments: dict[str, dict[float, dict[str, float]]] = {}
    for series in found:
        name, server = series.metric.get("__name__", ""), series.metric.get("server", "")
        for at, text in series.values:
            value = number(text)
            if value is not None:
                moments.setdefault(server, {}).setdefault(at, {})[name] = value
    return moments


def at_rate(moments: Iterable[Mapping[str, float]], rate_rps: float) -> Iterator[Mapping[str, float]]:
    """The moments at which this rate was offered and every stage was known; a server without nginx has no nginx."""
    needed = set(PARTS) - {"server:nginx_seconds:mean"}
    for said in moments:
        if abs(said.get(OFFERED, 0.0) - rate_rps) <= NEAR * rate_rps and needed <= said.keys():
            yield said


def _mean(server: str, rate_rps: float, seen: list[Mapping[str, float]]) -> Stages:
    sums = {"handling": 0.0, "processing": 0.0, "sending": 0.0}
    for said in seen:
        for name, stage in PARTS.items():
            sums[stage] += said.get(name, 0.0)
    handling, processing, sending = (total / len(seen) * 1000 for total in sums.values())
    return Stages(server, rate_rps, handling, processing, sending)


def _span(manifest: Manifest) -> tuple[float, float] | None:
    """When the run began and ended, in epoch seconds; None where that is not known."""
    try:
        start, end = (datetime.fromisoformat(str(moment)) for moment in (manifest.started_at, manifest.finished_at))
        if start.tzinfo is None or end.tzinfo is None:
            return None
        span = start.timestamp(), end.timestamp()
    except (ValueError, OverflowError):
        return None
    return span if 0 < span[1] - span[0] <= LONGEST_S else None
