"""Puts everything that can be read about one server into Prometheus metrics."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import host
import identity
import process
import uwsgi_stats
from cgroup import ControlGroup
from listeners import Listeners, listen_overflows
from nginx_status import NginxStatus
from proctree import ProcessTree
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector as BaseCollector
from table import BUCKET_EDGES_S
from tally import Tables, Tally
from uwsgi_stats import UwsgiStats
from workers import Workers

Value = TypeVar("Value")

REFUSALS = (OSError, ValueError, LookupError)
"""What a reader raises where its source refuses, or is not what it should be."""


@dataclass(frozen=True)
class Sources:
    """Where to read. None: this server or machine has no such thing."""

    root: int
    tables: Tables | None
    workers: Workers | None
    tree: ProcessTree | None
    listeners: Listeners | None
    control_group: ControlGroup
    uwsgi_socket: Path | None
    nginx: NginxStatus | None


class Collector(BaseCollector):
    """One reading per call of collect(). Not thread-safe."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._errors: Counter[str] = Counter()
        self._started_at: float | None = None
        self._versions = identity.versions()

    def describe(self) -> list[Metric]:
        """Nothing: else registering would take a reading to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Everything that can be read at this moment; what refuses is absent, and counted by its source."""
        tables = self.sources.tables
        tally = self._attempt("metrics", tables.read) if tables else None
        uwsgi = self._uwsgi()
        yield from self._identity()
        yield from self._requests(tally)
        yield from _named_requests(tally)
        yield from self._workers(tally, uwsgi)
        yield from self._processes()
        yield from self._queue(uwsgi)
        yield from self._container()
        yield from self._nginx()
        yield from self._host()
        errors = CounterMetricFamily("exporter_errors", "Readings that failed, by source.", labels=["source"])
        for source, count in self._errors.items():
            errors.add_metric([source], count)
        yield errors
        yield from _counter("exporter_cpu_seconds", "CPU time of this exporter.", time.process_time())

    def _identity(self) -> Iterator[Metric]:
        command = self._attempt("command", lambda: identity.command_of(self.sources.root))
        root = self.sources.root
        allowed = self._attempt("affinity", lambda: identity.cpus_of(root)) if self.sources.tree else None
        labels = {"command": command or "", "cpus": allowed or "", **self._versions}
        info = GaugeMetricFamily("server_info", "What is running: always 1.", labels=list(labels))
        info.add_metric(list(labels.values()), 1)
        yield info

    def _uwsgi(self) -> UwsgiStats | None:
        path = self.sources.uwsgi_socket
        if path is None or not path.exists():
            return None
        return self._attempt("uwsgi", lambda: uwsgi_stats.read(path))

    def _requests(self, tally: Tally | None) -> Iterator[Metric]:
        if tally is None:
            return
        requests = CounterMetricFamily("wsgi_requests", "Finished requests.", labels=["code"])
        for code, count in tally.requests_by_code.items():
            requests.add_metric([str(code)], count)
        yield requests
        edges = [*map(str, BUCKET_EDGES_S), "+Inf"]
        yield HistogramMetricFamily(
            "wsgi_request_duration_seconds",
            "From the call of the app until its body was closed.",
            buckets=list(zip(edges, tally.cumulative_buckets, strict=True)),
            sum_value=tally.duration_sum_s,
        )
        yield from _gauge("wsgi_requests_in_flight", "Requests under way.", tally.in_flight)

    def _workers(self, tally: Tally | None, uwsgi: UwsgiStats | None) -> Iterator[Metric]:
        if tally is None:
            return
        requests = CounterMetricFamily("wsgi_worker_requests", "Of each living worker, by process.", labels=["worker"])
        arrivals = CounterMetricFamily(
            "wsgi_worker_arrivals",
            "Requests that began while so many, themselves included, were inside the app of one living worker.",
            labels=["worker", "inside"],
        )
        for worker in tally.living:
            requests.add_metric([str(worker.pid)], worker.requests)
            for inside, count in worker.arrivals.items():
                arrivals.add_metric([str(worker.pid), str(inside)], count)
        yield requests
        yield arrivals
        workers = self.sources.workers
        report = self._attempt("workers", lambda: workers.read(tally, uwsgi)) if workers else None
        if report is None:
            return
        starts = GaugeMetricFamily(
            "wsgi_worker_start_time_seconds",
            "Epoch of the start of each worker that lives, or has ended in the last ten seconds.",
            labels=["worker"],
        )
        for pid, started_at in report.started_at.items():
            starts.add_metric([str(pid)], started_at)
        yield starts
        cpu = GaugeMetricFamily(
            "wsgi_worker_start_cpu_seconds", "What each had used by its first request.", labels=["worker"]
        )
        for pid, seconds in report.start_cpu_s.items():
            cpu.add_metric([str(pid)], seconds)
        yield cpu
        patience, slots = report.settings.get("timeout"), report.settings.get("slots")
        yield from _gauge("server_worker_timeout_seconds", "Until it kills a worker that is busy.", patience)
        yield from _gauge("server_slots", "Requests at once that it says it is set for.", slots)
        ends = CounterMetricFamily("server_worker_ends", "Workers that have ended, by why.", labels=["why"])
        for why, count in report.ends.items():
            ends.add_metric([why], count)
        yield ends

    def _processes(self) -> Iterator[Metric]:
        tree, root = self.sources.tree, self.sources.root
        yield from _gauge("server_up", "1 while the server's first process lives.", process.is_alive(root))
        usage = self._attempt("processes", tree.read) if tree else None
        if usage is None:
            return
        if self._started_at is None:
            self._started_at = self._attempt("processes", lambda: process.started_at(root))
        self._errors.update(usage.refused)
        yield from _counter("server_cpu_seconds", "CPU time of all processes, living and dead.", usage.cpu_s)
        yield from _gauge("server_processes", "Processes.", usage.processes)
        yield from _gauge("server_threads", "Threads.", usage.threads)
        yield from _gauge("server_memory_rss_bytes", "Resident memory, shared pages each time.", usage.rss_bytes)
        yield from _gauge("server_memory_pss_bytes", "Resident memory, shared pages once.", usage.pss_bytes)
        yield from _gauge("server_open_fds", "Open files.", usage.open_fds)
        yield from _gauge("server_start_time_seconds", "Epoch of the server's start.", self._started_at)
        switches = CounterMetricFamily("server_context_switches", "Of all threads.", labels=["kind"])
        switches.add_metric(["voluntary"], usage.voluntary_switches)
        switches.add_metric(["involuntary"], usage.involuntary_switches)
        yield switches

    def _queue(self, uwsgi: UwsgiStats | None) -> Iterator[Metric]:
        source = self.sources
        waiting = overflows = None
        if source.listeners and source.tree:
            listeners, pids = source.listeners, source.tree.pids
            waiting = self._attempt("listeners", lambda: listeners.queue_length(pids))
            connections = self._attempt("connections", listeners.connections)
            yield from _gauge("server_connections", "Open TCP connections, those that wait included.", connections)
            overflows = self._attempt("netstat", lambda: listen_overflows(source.root))
        if uwsgi:
            waiting = uwsgi.listen_queue if waiting is None else waiting
            overflows = (overflows or 0) + uwsgi.listen_queue_errors
            yield from _gauge("uwsgi_workers", "Workers.", len(uwsgi.pids))
            yield from _gauge("uwsgi_workers_busy", "Workers with a request.", uwsgi.workers_busy)
            yield from _counter("uwsgi_exceptions", "Exceptions that the app raised.", uwsgi.exceptions)
            yield from _counter("uwsgi_harakiri", "Requests killed for taking too long.", uwsgi.harakiris)
        yield from _gauge("server_listen_queue", "Connections waiting to be accepted.", waiting)
        yield from _counter("server_listen_overflows", "Refused for a full queue, whole network.", overflows)

    def _container(self) -> Iterator[Metric]:
        limits = self._attempt("cgroup", self.sources.control_group.read)
        if limits is None:
            return
        yield from _counter("container_cpu_usage_seconds", "CPU time.", limits.cpu_usage_s)
        yield from _counter("container_cpu_throttled_seconds", "Frozen by the CPU quota.", limits.throttled_s)
        yield from _counter("container_cpu_throttled_periods", "Periods frozen.", limits.throttled_periods)
        yield from _gauge("container_memory_usage_bytes", "Memory, file cache included.", limits.memory_bytes)
        yield from _gauge("container_memory_limit_bytes", "What it may use.", limits.memory_limit_bytes)
        yield from _counter("container_oom_kills", "Processes killed by the kernel (out of memory).", limits.oom_kills)

    def _nginx(self) -> Iterator[Metric]:
        nginx = self.sources.nginx
        status = self._attempt("nginx", nginx.read) if nginx else None
        if status is None:
            return
        yield from _gauge("nginx_connections_active", "Open client connections.", status.active)
        yield from _counter("nginx_connections_accepted", "Accepted client connections.", status.accepted)
        yield from _counter("nginx_connections_handled", "Handled client connections.", status.handled)
        yield from _counter("nginx_requests", "Client requests.", status.requests)

    def _host(self) -> Iterator[Metric]:
        # Every exporter says it, so that the machine is in the picture whichever servers run. 0.1 ms each.
        machine = self._attempt("host", host.read_host)
        if machine is None:
            return
        busy = CounterMetricFamily("host_cpu_seconds", "CPU time in use, by CPU of the machine.", labels=["cpu"])
        for cpu, seconds in machine.busy_s.items():
            busy.add_metric([cpu], seconds)
        yield busy
        root = self.sources.root
        allowed = self._attempt("affinity", lambda: os.sched_getaffinity(root))
        if allowed:
            busy_s = sum(machine.busy_s.get(str(cpu), 0.0) for cpu in allowed)
            yield from _counter("server_cpus_busy_seconds", "Use, by anybody, of the CPUs it may use.", busy_s)
        yield from _gauge("host_memory_total_bytes", "The machine's memory.", machine.memory_bytes)
        yield from _gauge("host_memory_available_bytes", "What could still be taken.", machine.available_bytes)

    def _attempt(self, source: str, read: Callable[[], Value]) -> Value | None:
        """The reading, or None and one more on this source's count of errors where it refuses."""
        try:
            return read()
        except REFUSALS:
            self._errors[source] += 1
            return None


def _named_requests(tally: Tally | None) -> Iterator[Metric]:
    """By the number of the name, which the load generator gave; nothing where it gave none."""
    if tally is None or not tally.named:
        return
    requests = CounterMetricFamily("wsgi_named_requests", "Finished requests, by name.", labels=["request"])
    seconds = CounterMetricFamily("wsgi_named_request_seconds", "Time inside the app, in sum.", labels=["request"])
    cpu = CounterMetricFamily("wsgi_named_request_cpu_seconds", "CPU time of their threads.", labels=["request"])
    for number, named in tally.named.items():
        requests.add_metric([str(number)], named.requests)
        seconds.add_metric([str(number)], named.seconds)
        if named.cpu_seconds:
            cpu.add_metric([str(number)], named.cpu_seconds)
    yield from (requests, seconds, cpu)


def _counter(name: str, text: str, value: float | None) -> Iterator[Metric]:
    """`name` is without the `_total` that the format adds. A value of None is nothing at all."""
    if value is not None:
        yield CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(name, text, value=value)
