"""What a window cost its server, read from the exporters before, during and after it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from wsgilab.machine import http
from wsgilab.model.window import Sample, Usage

SCRAPE_TIMEOUT_S = 3.0
Metrics = Mapping[str, float]
"""Metric name → value, summed over labels."""


def scrape(url: str, run_id: str = "") -> Metrics | None:
    """What an exporter says, or None where it does not answer in time, or belongs to another run than `run_id`."""
    text = fetch(url, run_id)
    if text is None:
        return None
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return totals


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


def read_sample(exporter_url: str, proxy_exporter_url: str | None, run_id: str = "") -> Sample | None:
    """One reading of a server, its proxy's CPU and memory added; None where an exporter of that run does not answer."""
    server = scrape(exporter_url, run_id)
    proxy = scrape(proxy_exporter_url, run_id) if proxy_exporter_url else {}
    if server is None or proxy is None:
        return None
    return to_sample(server, proxy, time.time())


def to_sample(server: Metrics, proxy: Metrics, at: float) -> Sample:
    """One Sample out of what the two exporters said at `at` (epoch seconds)."""
    return Sample(
        at=at,
        up=server.get("server_up", 0.0) > 0,
        requests=server.get("wsgi_requests_total", 0.0),
        busy_s=server.get("wsgi_request_duration_seconds_sum", 0.0),
        in_flight=server.get("wsgi_requests_in_flight", 0.0),
        listen_queue=server.get("server_listen_queue", 0.0),
        cpu_s=server.get("server_cpu_seconds_total", 0.0) + proxy.get("server_cpu_seconds_total", 0.0),
        memory_bytes=server.get("server_memory_pss_bytes", 0.0) + proxy.get("server_memory_pss_bytes", 0.0),
        throttled_s=server.get("container_cpu_throttled_seconds_total", 0.0),
        listen_overflows=server.get("server_listen_overflows_total", 0.0),
        oom_kills=server.get("container_oom_kills_total", 0.0),
        start_time=server.get("server_start_time_seconds", 0.0),
        proxy_start_time=proxy.get("server_start_time_seconds", 0.0),
    )


def to_usage(before: Sample, during: Sequence[Sample], after: Sample, measured: tuple[float, float]) -> Usage:
    """The window's usage.

    `measured` is the measured part's start and end in epoch seconds. Ratios come from the samples inside it, so that
    the warm-up does not count; where fewer than two fell inside, from the whole of the window.
    """
    inside = [sample for sample in during if measured[0] <= sample.at <= measured[1]]
    first, last = (inside[0], inside[-1]) if len(inside) >= 2 else (before, after)
    requests = last.requests - first.requests
    seen = [before, *during, after]
    return Usage(
        requests=after.requests - before.requests,
        cpu_ms_per_request=(last.cpu_s - first.cpu_s) * 1000 / requests if requests > 0 else None,
        service_ms=(last.busy_s - first.busy_s) * 1000 / requests if requests > 0 else None,
        memory_mb=max(sample.memory_bytes for sample in seen) / 1e6,
        in_flight_mean=statistics.fmean(sample.in_flight for sample in inside) if inside else None,
        listen_queue_max=max(sample.listen_queue for sample in seen),
        throttled_s=after.throttled_s - before.throttled_s,
        listen_overflows=after.listen_overflows - before.listen_overflows,
        oom_kills=after.oom_kills - before.oom_kills,
        restarts=len({sample.start_time for sample in seen}) - 1,
        samples=tuple(replace(sample, at=round(sample.at, 3)) for sample in seen),
    )
