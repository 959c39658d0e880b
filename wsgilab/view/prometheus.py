"""Asks a Prometheus, and takes of its answers only what has their form: in bounded time, of bounded size."""

from __future__ import annotations

import math
import time
import urllib.parse
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import msgspec

from wsgilab.machine import http

PATIENCE_S = 10.0
"""For all the questions of a page together."""
MOST_BYTES = 8_000_000
MOST_SERIES = 200
"""In one answer: nobody can tell more lines apart."""
REMEMBERED = 1000
LONGEST_REASON = 300

T = TypeVar("T")
Moment = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Number = str
"""Prometheus writes numbers as text, since JSON has neither NaN nor infinity."""
Sample = tuple[Moment, Number]


class Unanswered(Exception):
    """Prometheus cannot be asked: nobody is there, or the time is over."""


class Unusable(Exception):
    """This one answer is of no use: nonsense, too large, or Prometheus says what is wrong with the question."""


@dataclass(frozen=True)
class Query:
    """One question: an expression over a span of time, or (`step_s` None) at its end. Times in epoch seconds."""

    expression: str
    start: float
    end: float
    step_s: float | None


@dataclass(frozen=True)
class Histogram:
    """A native one. Each bucket: boundary rule, lower, upper, count.

    https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms
    """

    buckets: tuple[tuple[int, Number, Number, Number], ...] = ()


@dataclass(frozen=True)
class Series:
    """What one combination of labels had: `value` at a moment, or `values` or `histograms` over time."""

    metric: Mapping[str, str]
    value: Sample | None = None
    values: tuple[Sample, ...] = ()
    histograms: tuple[tuple[Moment, Histogram], ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """All labels but the name."""
        return {name: value for name, value in self.metric.items() if name != "__name__"}


@dataclass(frozen=True)
class _Said:
    status: str
    error: str = ""


@dataclass(frozen=True)
class _Document(Generic[T]):
    data: T


@dataclass(frozen=True)
class _Result:
    result: tuple[Series, ...]


_said = msgspec.json.Decoder(_Said)
_result = msgspec.json.Decoder(_Document[_Result])
_names = msgspec.json.Decoder(_Document[tuple[str, ...]])


class Prometheus:
    """The HTTP API of one Prometheus, read only."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._took_ms: deque[float] = deque(maxlen=REMEMBERED)

    def ask(self, query: Query, deadline: float) -> tuple[Series, ...]:
        """What a query finds. `deadline`: when to give up, in monotonic time. Raises Unanswered or Unusable."""
        if query.step_s is None:
            what, when = "query", {"time": f"{query.end:.3f}"}
        else:
            what = "query_range"
            when = {"start": f"{query.start:.3f}", "end": f"{query.end:.3f}", "step": f"{query.step_s:g}"}
        found = self._get(what, {"query": query.expression, **when}, deadline, _result).result
        if len(found) > MOST_SERIES:
            raise Unusable(f"it has {len(found)} series, and {MOST_SERIES} are the most that are drawn")
        return found

    def label_values(self, label: str, series: str, start: float, end: float, deadline: float) -> list[str]:
        """The values that `label` had on a series in that time. Raises Unanswered or Unusable."""
        when = {"start": f"{start:.3f}", "end": f"{end:.3f}"}
        path = f"label/{urllib.parse.quote(label)}/values"
        return sorted(self._get(path, {"match[]": series, **when}, deadline, _names)[:MOST_SERIES])

    def p99_ms(self) -> float | None:
        """The 99th percentile of the time the queries took so far (the last thousand)."""
        took = sorted(self._took_ms.copy())
        return took[math.ceil(0.99 * len(took)) - 1] if took else None

    def summary(self) -> str:
        """How the queries fared, in a sentence."""
        p99_ms = self.p99_ms()
        return f"p99 of the queries: {p99_ms:.0f} ms." if p99_ms is not None else "Nothing was asked."

    def _get(
        self, path: str, parameters: Mapping[str, str], deadline: float, form: msgspec.json.Decoder[_Document[T]]
    ) -> T:
        started = time.monotonic()
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            answer = http.ask(url, timeout_s=max(0.001, deadline - started), most_bytes=MOST_BYTES)
        except http.TooLarge as error:
            raise Unusable(str(error)) from error
        except http.NoAnswer as error:
            raise Unanswered(f"no answer from {http.public(self.url)}: {error}") from error
        self._took_ms.append((time.monotonic() - started) * 1000)
        try:
            said = _said.decode(answer.body)
            if said.status != "success":
                raise Unusable((said.error or said.status)[:LONGEST_REASON])
            return form.decode(answer.body).data
        except (ValueError, RecursionError) as error:
            raise Unusable(f"it is not an answer from Prometheus (HTTP {answer.status})") from error


def number(text: Number) -> float | None:
    """A sample's value; None for NaN and infinities, which no chart can draw. Raises Unusable."""
    try:
        value = float(text)
    except ValueError as error:
        raise Unusable(f"it is not an answer from Prometheus: '{text[:40]}' is not a number") from error
    return value if math.isfinite(value) else None
