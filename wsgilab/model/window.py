"""One measured window, from its plan to what it cost the server: a line of windows.jsonl."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

WINDOW_SCHEMA = 1


@dataclass(frozen=True)
class Purpose:
    """What a tuning wants to know by a window, as `model.tuning.Trial` has it."""

    stage: str
    heat: int = 0
    round: int = 0


@dataclass(frozen=True)
class WindowPlan:
    """One window to be measured: a server, a workload, an offered rate, for a while, after a warm-up."""

    server: str
    workload: str
    rate_rps: float
    round: int
    order: int
    """Position in the whole run, from 0."""
    warmup_s: float
    duration_s: float
    timeout_s: float
    grace_s: float
    fresh: bool = False
    """Whether its server is started anew before it, if it has served since it was started."""
    why: str = ""
    """Why it is measured, in a few words; empty where a run has all of its windows planned."""
    purpose: Purpose | None = None
    """Which part of a tuning it is; None of anything else."""
    turns_with: str = ""
    """The server that it takes turns with in the same window, some requests each; empty where it is asked alone."""

    @property
    def schedule_s(self) -> float:
        """How long its schedule takes: with turns, that of both."""
        return 2 * self.duration_s if self.turns_with else self.duration_s


@dataclass(frozen=True)
class RequestResult:
    """One of the requests that make up the traffic, in the measured part of one window."""

    scheduled: int
    sent: int
    ok: int
    """Answered as expected within the timeout and the grace."""
    ladder_ms: Mapping[str, float]
    """Quantiles of response time over `ok`, as in LoadResult."""


@dataclass(frozen=True)
class GeneratorShare:
    """What one of several generators did of a window's load. Times are since all of them were told to start."""

    name: str
    """Which one, and where it ran: `generator 2 of 3 on this machine`."""
    host: str
    """Generators of one host share its CPUs; empty for this machine."""
    cpus: int
    """How many those are."""
    scheduled: int
    """The ticks of the schedule that were its own."""
    sent: int
    dropped: int
    """As its k6 counted them: no free VU."""
    schedule_at: float
    """When its schedule began, in epoch seconds; 0.0 where it never did."""
    wall_s: float
    k6_cpu_s: float
    k6_wait_s: float
    lag_ms: float


@dataclass(frozen=True)
class LoadResult:
    """What k6 saw in the measured part of one window. Times in ms are `blocked + duration` of 2xx answers."""

    scheduled: int
    """Requests the open model called for: rate x duration."""
    sent: int
    dropped: int
    """Scheduled, never sent: no free VU, all of them were waiting for answers."""
    ok: int
    """2xx from the right server within the timeout and the grace."""
    ok_in_time: int
    """Those that came before the schedule ended: what the server achieved without the grace."""
    failed: int
    """Answered with something else, refused, reset or timed out."""
    unanswered: int
    """Still under way when the grace ended: sent - ok - failed - wrong_server."""
    wrong_server: int
    """2xx, but X-Lab-Server named another server."""
    statuses: Mapping[str, int]
    """Requests by status code; "0" is a connection error or a timeout."""
    ladder_ms: Mapping[str, float]
    """Quantiles of response time over `ok`, keyed by percentile as text ("0" is the minimum, "100" the maximum)."""
    total_requests: int
    """Requests that got an HTTP answer in this window, warm-up included."""
    total_sent: int
    """Requests begun in this window, warm-up included. The app's own count lies between the two."""
    started_at: float
    """Epoch seconds of the first measured request; 0.0 where none was sent."""
    wall_s: float
    """How long k6 ran, start to exit."""
    k6_cpu_s: float
    """CPU time that k6 used."""
    lag_ms: float
    """How far k6 fell behind its own schedule, at worst."""
    vus_max: int
    k6_wait_s: float = 0.0
    """How long k6's threads, ready to run, waited for a CPU, in sum; 0 where the system does not tell."""
    by_request: Mapping[str, RequestResult] = field(default_factory=dict)
    """By the name of the request, where the traffic has several."""
    unexpected_text: int = 0
    """Answers with the right status and without the text that was expected; they are among `failed`."""
    expected: Mapping[str, int] = field(default_factory=dict)
    """Of `statuses`, those other than 2xx that the traffic asked for: good answers."""
    reused: int | None = None
    """Answers that came over a connection which an earlier request had opened; None where nobody counted."""
    total_ok: int | None = None
    """2xx answers in this window, warm-up included; None where an earlier version wrote the line."""
    redirect_to: str = ""
    """Where the answers led, if the commonest one other than 2xx was a redirect."""
    host: str = ""
    """The Host that k6 asked for, where something other than 2xx was answered."""
    blames_host: bool = False
    """Whether the body of the commonest answer other than 2xx speaks of the host."""
    refused_by: str = ""
    """The setting that its text names as what turned the request away: `limit_request_field_size`; empty where none."""
    generators: tuple[GeneratorShare, ...] = ()
    """Of a load that several generators shared: what each of them did. Empty where there was one."""

    @property
    def surprises(self) -> dict[str, int]:
        """Answers by status, without those other than 2xx that were asked for."""
        left = {status: count - self.expected.get(status, 0) for status, count in self.statuses.items()}
        return {status: count for status, count in left.items() if count > 0}


@dataclass(frozen=True)
class Sample:
    """One reading of a server's exporter (its proxy's share added). Counters are since the server's start."""

    at: float
    """Epoch seconds."""
    up: bool
    requests: float
    busy_s: float
    """Sum of request durations as the middleware saw them."""
    in_flight: float
    listen_queue: float
    cpu_s: float
    memory_bytes: float
    throttled_s: float
    listen_overflows: float
    oom_kills: float
    start_time: float
    proxy_start_time: float = 0.0
    """Of the proxy in front of it; 0 where there is none."""
    rss_bytes: float = 0.0
    """Resident memory of the server alone, shared pages each time: exact at each reading, as `memory_bytes` is not.
    0 in lines of an earlier version."""


@dataclass(frozen=True)
class Inside:
    """What went on inside the server in one window: seen by the middleware and the exporter. None: not known."""

    at_once: int | None = None
    """Requests inside the app at the same time at most: the sum of every process's own peak. The slots *seen*."""
    at_once_in_one_process: int | None = None
    """The largest peak of a single process."""
    workers_min: int | None = None
    workers_max: int | None = None
    """Living processes that could serve requests (they have a table of the middleware), over the readings."""
    worker_starts: int = 0
    """Worker processes that appeared in the window."""
    worker_ends: Mapping[str, int] = field(default_factory=dict)
    """Worker processes that ended, by why: `timeout`, `max_requests`, `harakiri`, `reload`, `recycled` (in order, for
    some other reason of the server's), `cheaper` (uWSGI does without it for now), `exit 1`, `SIGKILL`, or `unknown`."""
    app_statuses: Mapping[str, int] = field(default_factory=dict)
    """Requests that the app answered in the window, warm-up included, by status code."""
    app_time_ms: Mapping[str, float] = field(default_factory=dict)
    """Histogram of the time inside the app: requests no slower than each bucket's upper edge in ms (as text, the last
    is "+Inf"); cumulative."""
    connections_max: int | None = None
    """Most connections that clients had open to the server at a reading (to its proxy, where there is one)."""
    start_cpu_s: float | None = None
    """CPU time that the workers which started in the window had used when their first request came, on average: what a
    start costs. None where none started, or nobody tells."""
    idle_cores: float | None = None
    """CPUs that the server used between the window before and this one, while nothing was asked of it: threads of the
    app, say. None where that was not to be seen: after a start, or with workers that came and went."""
    slots_configured: int | None = None
    """Requests at once that the server itself says it is set for (gunicorn, uWSGI)."""
    worker_timeout_s: float | None = None
    """How long a worker may be busy until the server kills it, by the server's own account."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """What the end of the server's log says that it turned away before the app: lines, by the setting that did so,
    `limit_request_line`, `limit_request_field_size`, `limit_request_fields` or `buffer-size`."""
    cpus_busy: float | None = None
    """How many of the CPUs that the server may use were in use by anything, on average in the measured part."""
    memory_limit_mb: float | None = None
    """What the server's control group may use; None where nothing limits it."""


@dataclass(frozen=True)
class RequestCost:
    """What the requests of one name took inside the app, in the measured part of one window."""

    requests: float
    busy_s: float
    """Time from the call of the app until the body was closed, in sum."""
    cpu_s: float | None
    """CPU time of their threads meanwhile; None where requests share a thread, as greenlets do."""


@dataclass(frozen=True)
class Usage:
    """What one window cost the server: differences of two samples, and the gauges between them."""

    requests: float
    """Requests the middleware counted from before the warm-up until everything was answered."""
    cpu_ms_per_request: float | None
    service_ms: float | None
    """Mean time in the app, as the middleware saw it."""
    memory_mb: float | None
    """Largest proportional set size (PSS) seen."""
    in_flight_mean: float | None
    listen_queue_max: float | None
    throttled_s: float
    listen_overflows: float
    oom_kills: float
    restarts: int
    asked_alone_rps: float | None = None
    """What the app counted per second when k6 had ended, where it had counted more in the window than k6 sent."""
    samples: tuple[Sample, ...] = ()
    inside: Inside | None = None
    by_request: Mapping[str, RequestCost] = field(default_factory=dict)
    """By the name of the request, where the traffic has names."""


@dataclass(frozen=True)
class Window:
    """One measured window: a line of windows.jsonl."""

    plan: WindowPlan
    load: LoadResult | None
    """None where k6 gave nothing back; `void` or `died` then says why."""
    usage: Usage | None
    died: str | None = None
    """What happened to the server in this window, where it did not survive it."""
    void: str | None = None
    """Why the measurement cannot be trusted; None where it can."""
    notes: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    """The last lines that the server had written, where the window was odd."""
    took_s: float = 0.0
    """All of it: k6's start, warm-up, schedule, grace, waiting for quiet; half of that where two servers took turns.
    0 where an earlier version wrote the line."""
    start_s: float = 0.0
    """How long it took to start its server anew for it, until that was idle; 0 where it was not."""
    schema: int = WINDOW_SCHEMA

    @property
    def server_start(self) -> float | None:
        """When its server had been started, in epoch seconds; None where nobody read that."""
        samples = self.usage.samples if self.usage else ()
        return samples[0].start_time if samples else None

    @property
    def measured_samples(self) -> tuple[Sample, ...]:
        """The readings that fell into the measured part; none where it is not known when that was."""
        if self.load is None or self.usage is None:
            return ()
        start, end = self.load.started_at, self.load.started_at + self.plan.schedule_s
        return tuple(sample for sample in self.usage.samples if start <= sample.at <= end)

    def to_json(self) -> dict[str, Any]:
        """The window as plain JSON values."""
        return asdict(self)
