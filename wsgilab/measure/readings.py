"""One reading of a server: what its exporter says, and its proxy's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

from prometheus_client.parser import text_string_to_metric_families

from wsgilab.machine import http
from wsgilab.model.window import RequestCost, Sample

SCRAPE_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Metrics:
    """What one exporter says at one moment."""

    totals: Mapping[str, float] = field(default_factory=dict)
    """By name, summed over labels."""
    series: Mapping[str, Sequence[tuple[Mapping[str, str], float]]] = field(default_factory=dict)
    """By name: the labels of each series, and its value."""

    def get(self, name: str) -> float:
        """The sum of a metric over its labels; 0 where the exporter does not have it."""
        return self.totals.get(name, 0.0)

    def by(self, label: str, name: str) -> dict[str, float]:
        """A metric by the values of a label that each of its series has."""
        return {labels[label]: value for labels, value in self.series.get(name, ())}


@dataclass(frozen=True)
class WorkerSeen:
    """What a reading says of one worker process."""

    living: bool
    """False: it has ended in the last seconds."""
    started_at: float | None
    """Epoch seconds."""
    arrivals: Mapping[int, float]
    """Requests that began while so many were inside the app, since the worker started."""
    start_cpu_s: float | None = None
    """CPU time that it had used when its first request came."""


@dataclass(frozen=True)
class Reading(Sample):
    """A sample, and what only the account of a window needs: that is not saved."""

    workers: Mapping[int, WorkerSeen] = field(default_factory=dict)
    """By process."""
    worker_ends: Mapping[str, float] = field(default_factory=dict)
    statuses: Mapping[str, float] = field(default_factory=dict)
    seconds_buckets: Mapping[str, float] = field(default_factory=dict)
    connections: float | None = None
    cpus_busy_s: float | None = None
    memory_limit_bytes: float | None = None
    own_cpu_s: float = 0.0
    """CPU time without its proxy's, which serves others too."""
    slots_configured: float | None = None
    worker_timeout_s: float | None = None
    named: Mapping[int, RequestCost] = field(default_factory=dict)
    """By the number of a request's name in the traffic, since the server started."""

    def sample(self) -> Sample:
        """What is saved of it."""
        return Sample(**{one.name: getattr(self, one.name) for one in fields(Sample)})


def scrape(url: str, run_id: str = "") -> Metrics | None:
    """What an exporter says, or None where it does not answer in time, or belongs to another run than `run_id`."""
    text = fetch(url, run_id)
    if text is None:
        return None
    totals: dict[str, float] = {}
    series: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
            series.setdefault(sample.name, []).append((sample.labels, sample.value))
    return Metrics(totals, series)


def identity(exporter_url: str) -> Mapping[str, str]:
    """What an exporter says is running: `command`, and the versions of Python and of the servers' libraries."""
    for family in text_string_to_metric_families(fetch(exporter_url) or ""):
        if family.name == "server_info":
            return dict(family.samples[0].labels)
    return {}


def fetch(url: str, run_id: str = "") -> str | None:
    """The text at `url`, or None where nothing answers in time, or another run does than `run_id`."""
    try:
        answer = http.ask(url, timeout_s=SCRAPE_TIMEOUT_S)
    except http.NoAnswer:
        return None
    ours = not run_id or answer.headers.get("X-Lab-Run") == run_id
    return answer.text if answer.ok and ours else None


def take_reading(
    exporter_url: str, proxy_exporter_url: str | None, run_id: str = "", ahead_s: float = 0.0
) -> Reading | None:
    """One reading of a server, its proxy's CPU and memory added; None where an exporter of that run does not answer.

    `ahead_s`: how far the clock of the server's machine is ahead of this one's.
    """
    server = scrape(exporter_url, run_id)
    proxy = scrape(proxy_exporter_url, run_id) if proxy_exporter_url else Metrics()
    if server is None or proxy is None:
        return None
    return to_reading(server, proxy, time.time(), ahead_s)


def to_reading(server: Metrics, proxy: Metrics, at: float, ahead_s: float = 0.0) -> Reading:
    """One reading out of what the two exporters reported at `at` (epoch seconds), by the clock of this machine."""
    return Reading(
        at=at,
        up=server.get("server_up") > 0,
        requests=server.get("wsgi_requests_total"),
        busy_s=server.get("wsgi_request_duration_seconds_sum"),
        in_flight=server.get("wsgi_requests_in_flight"),
        listen_queue=server.get("server_listen_queue"),
        cpu_s=server.get("server_cpu_seconds_total") + proxy.get("server_cpu_seconds_total"),
        memory_bytes=server.get("server_memory_pss_bytes") + proxy.get("server_memory_pss_bytes"),
        throttled_s=server.get("container_cpu_throttled_seconds_total"),
        listen_overflows=server.get("server_listen_overflows_total"),
        oom_kills=server.get("container_oom_kills_total"),
        start_time=server.get("server_start_time_seconds"),
        proxy_start_time=proxy.get("server_start_time_seconds"),
        workers=dict(_workers(server, ahead_s)),
        worker_ends=server.by("why", "server_worker_ends_total"),
        statuses=server.by("code", "wsgi_requests_total"),
        seconds_buckets=server.by("le", "wsgi_request_duration_seconds_bucket"),
        connections=_connections(server, proxy),
        cpus_busy_s=server.totals.get("server_cpus_busy_seconds_total"),
        memory_limit_bytes=server.totals.get("container_memory_limit_bytes"),
        own_cpu_s=server.get("server_cpu_seconds_total"),
        rss_bytes=server.get("server_memory_rss_bytes"),
        slots_configured=server.totals.get("server_slots"),
        worker_timeout_s=server.totals.get("server_worker_timeout_seconds"),
        named=dict(_named(server)),
    )


def _named(server: Metrics) -> Iterator[tuple[int, RequestCost]]:
    seconds, cpu = (server.by("request", f"wsgi_named_request_{what}_total") for what in ("seconds", "cpu_seconds"))
    for number, requests in server.by("request", "wsgi_named_requests_total").items():
        yield int(number), RequestCost(requests, seconds[number], cpu.get(number))


def _workers(server: Metrics, ahead_s: float) -> Iterator[tuple[int, WorkerSeen]]:
    arrivals: dict[str, dict[int, float]] = {}
    for labels, count in server.series.get("wsgi_worker_arrivals_total", ()):
        arrivals.setdefault(labels["worker"], {})[int(labels["inside"])] = count
    living = server.by("worker", "wsgi_worker_requests_total")
    started = server.by("worker", "wsgi_worker_start_time_seconds")
    started_at = {worker: at - ahead_s for worker, at in started.items()}
    cpu_s = server.by("worker", "wsgi_worker_start_cpu_seconds")
    for pid in {**living, **started_at}:
        yield int(pid), WorkerSeen(pid in living, started_at.get(pid), arrivals.get(pid, {}), cpu_s.get(pid))


def _connections(server: Metrics, proxy: Metrics) -> float | None:
    """Clients' connections: to the proxy where there is one, its own exporter's not among them."""
    active = proxy.totals.get("nginx_connections_active")
    return server.totals.get("server_connections") if active is None else max(0.0, active - 1)
