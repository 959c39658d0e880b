"""What is known of one server under one rate, added up over its valid windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from wsgilab.analysis import stats
from wsgilab.model.server import ServerFacts
from wsgilab.model.slo import Slo
from wsgilab.model.slots import Slots
from wsgilab.model.window import Inside, LoadResult, Usage, Window

NO_ANSWER = "0"
PROGRAMS = (
    ("gunicorn", "gunicorn"),
    ("uwsgi", "uWSGI"),
    ("waitress", "waitress"),
    ("granian", "granian"),
    ("dev", "Flask's built-in server"),
)
"""The program that a server of the lab runs, by how its name begins."""


@dataclass(frozen=True)
class Context:
    """What one server's windows cannot tell alone."""

    objective: Slo
    cores: int
    """CPUs that the servers share."""
    statuses: Mapping[tuple[float, str], Mapping[str, int]] = field(default_factory=dict)
    """What was answered, by rate and server."""
    calling: Set[str] = frozenset()
    """The apps that were seen to send requests to themselves, under some server."""


@dataclass(frozen=True)
class Evidence:
    """One server under one rate."""

    server: ServerFacts
    rate_rps: float
    windows: Sequence[Window]
    """The valid ones."""
    context: Context
    slots: Slots
    alone_ms: float | None = None
    """Mean time inside the app at the lowest rate measured."""
    alone_rps: float | None = None
    """That rate."""

    @cached_property
    def loads(self) -> list[LoadResult]:
        """What k6 saw."""
        return [window.load for window in self.windows if window.load]

    @cached_property
    def usages(self) -> list[Usage]:
        """What the exporter saw."""
        return [window.usage for window in self.windows if window.usage]

    @cached_property
    def insides(self) -> list[Inside]:
        """What was recorded of the inside of the server."""
        return [usage.inside for usage in self.usages if usage.inside]

    @cached_property
    def scheduled(self) -> int:
        """Requests that were called for."""
        return sum(load.scheduled for load in self.loads)

    @cached_property
    def statuses(self) -> Counter[str]:
        """What k6 was answered in the measured part, by status; "0" is no answer."""
        return added([load.surprises for load in self.loads])

    @cached_property
    def app_statuses(self) -> Counter[str] | None:
        """What the app answered, warm-up included; None where a window does not tell."""
        if not self.insides or len(self.insides) < len(self.loads):
            return None
        return added(inside.app_statuses for inside in self.insides)

    @cached_property
    def service_ms(self) -> float | None:
        """Mean time inside the app at this rate."""
        return mean([usage.service_ms for usage in self.usages])

    @cached_property
    def cpu_ms(self) -> float | None:
        """CPU time per request."""
        return mean([usage.cpu_ms_per_request for usage in self.usages])

    @cached_property
    def goodput_rps(self) -> float | None:
        """Good answers per second."""
        return mean([stats.goodput_rps(window) for window in self.windows])

    @cached_property
    def busy_cores(self) -> float | None:
        """How many CPUs the server (and the proxy in front of it) used on average while requests were sent."""
        return mean([busy_cores(window) for window in self.windows])

    @cached_property
    def tolerated(self) -> float:
        """The share of requests that may be slow or fail before the objective is missed."""
        return min(
            bound if metric == "failed" else 1 - float(metric.removeprefix("p")) / 100
            for metric, bound in self.context.objective.terms
        )

    @property
    def calls_itself(self) -> bool:
        """Whether the app that this server serves was seen to send requests to itself, here or under another server."""
        return self.server.app in self.context.calling

    @property
    def program(self) -> str:
        """What runs: `gunicorn`, `uWSGI`."""
        return program(self.server.variant_of or self.server.name)

    def share(self, count: float) -> float:
        """Share that so many have among the scheduled requests."""
        return count / self.scheduled if self.scheduled else 0.0


def program(server: str) -> str:
    """The program that a server of compose.yaml runs."""
    return next((name for begin, name in PROGRAMS if server.startswith(begin)), "the server")


def busy_cores(window: Window) -> float | None:
    """CPU seconds per second in the measured part, by the first and the last reading in it."""
    if window.load is None or window.usage is None:
        return None
    samples = window.measured_samples
    if len(samples) >= 2 and samples[-1].at > samples[0].at:
        return (samples[-1].cpu_s - samples[0].cpu_s) / (samples[-1].at - samples[0].at)
    goodput, cpu_ms = stats.goodput_rps(window), window.usage.cpu_ms_per_request
    return None if goodput is None or cpu_ms is None else goodput * cpu_ms / 1000


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of those that are known."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def added(counts: Iterator[Mapping[str, int]] | Sequence[Mapping[str, int]]) -> Counter[str]:
    """Counts by name, of all windows."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total
