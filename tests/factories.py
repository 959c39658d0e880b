"""Windows as a real run gives them, without one: a queue with a server's slots, its service time, a little noise.

story()                            the default run: five servers, 100 and 250 rps, three rounds
window("gunicorn", rate_rps=250)   one window of it
plain_window(...)                  one window with given latencies, for tests about arithmetic
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from wsgilab.analysis import causes
from wsgilab.analysis.causes.evidence import Evidence, mean
from wsgilab.analysis.causes.slots import observe
from wsgilab.analysis.pipeline import RunFacts
from wsgilab.model.manifest import Manifest
from wsgilab.model.metrics import Place, shown
from wsgilab.model.server import ServerFacts
from wsgilab.model.slo import Slo
from wsgilab.model.window import (
    Inside,
    LoadResult,
    RequestCost,
    RequestResult,
    Sample,
    Usage,
    Window,
    WindowPlan,
)
from wsgilab.results import saved

RUNGS = [float(percentile) for percentile in range(101)] + [99.5, 99.9]
TIMEOUT_S, GRACE_S = 10.0, 2.0
BUCKET_EDGES_MS = (
    1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 250, 350, 500, 750, 1000, 2500, 5000, 10000,
)  # fmt: skip
"""The middleware's."""
FIGURES = [metric.key for metric in shown(Place.LOAD)]
"""Those of one server under one rate."""


@dataclass(frozen=True)
class Model:
    """A server as the queue sees it."""

    facts: ServerFacts
    service_ms: float
    cpu_ms: float
    memory_mb: float


def _model(name: str, pattern: str, concurrency: str, slots: int | None, via: str | None, *costs: float) -> Model:
    return Model(ServerFacts(name, pattern, concurrency, slots, via), *costs)


MODELS = {
    model.facts.name: model
    for model in (
        _model("dev-single", "Flask built-in server, one thread", "1", 1, None, 22.6, 2.7, 47.0),
        _model("dev", "Flask built-in server, as it starts today", "unbounded", None, None, 22.4, 3.4, 52.0),
        _model("gunicorn", "Gunicorn, several workers", "4", 4, None, 22.4, 2.6, 112.0),
        _model("uwsgi-single", "uWSGI, one process, one thread", "1 x 1", 1, "nginx", 22.5, 2.4, 41.0),
        _model("uwsgi", "uWSGI, several processes and threads", "4 x 2", 8, "nginx", 22.4, 2.5, 96.0),
    )
}
SERVERS = [model.facts for model in MODELS.values()]
RUN = RunFacts(SERVERS, Slo(), engine="local", workload="mix", rounds=3)
"""The default run."""


def manifest(**said: Any) -> Manifest:
    """A manifest of a run that ended, of which this is known, as a saved run gives it back."""
    found, faults = saved.manifest(json.loads(json.dumps({"finished_at": "2026-03-01T12:03:05+00:00", **said})))
    assert not faults
    return found


def plan(server: str = "gunicorn", **changes: Any) -> WindowPlan:
    """A plan of 6 s at 100 rps."""
    usual = WindowPlan(server, "mix", 100.0, 1, 0, 2.0, 6.0, TIMEOUT_S, GRACE_S)
    return replace(usual, **changes)


def ladder(latencies_ms: Sequence[float]) -> dict[str, float]:
    """Quantiles as k6 gives them: linear between the two nearest answers."""
    ordered = sorted(latencies_ms)
    if not ordered:
        return {}
    return {f"{rung:g}": round(_quantile(ordered, rung / 100), 3) for rung in RUNGS}


def load_result(latencies_ms: Sequence[float], scheduled: int | None = None, **changes: Any) -> LoadResult:
    """What k6 says when these were answered; the rest of `scheduled` failed, unless `changes` says otherwise."""
    ok = len(latencies_ms)
    scheduled = ok if scheduled is None else scheduled
    usual = LoadResult(
        scheduled=scheduled,
        sent=scheduled,
        dropped=0,
        ok=ok,
        ok_in_time=ok,
        failed=scheduled - ok,
        unanswered=0,
        wrong_server=0,
        statuses={"200": ok},
        ladder_ms=ladder(latencies_ms),
        total_requests=scheduled + scheduled // 3,
        total_sent=scheduled + scheduled // 3,
        started_at=1000.0,
        wall_s=9.0,
        k6_cpu_s=1.6,
        lag_ms=3.0,
        vus_max=600,
    )
    return replace(usual, **changes)


def usage(requests: float, **changes: Any) -> Usage:
    """What a healthy window costs."""
    usual = Usage(requests, 2.6, 22.4, 112.0, 2.2, 0.0, 0.0, 0.0, 0.0, 0)
    return replace(usual, **changes)


def plain_window(latencies_ms: Sequence[float], scheduled: int | None = None, **plan_changes: Any) -> Window:
    """One window with exactly these answers; what is missing to `scheduled` failed."""
    load = load_result(latencies_ms, scheduled)
    return Window(plan(**plan_changes), load, usage(load.total_requests))


def named_window(round: int = 1, buy_ms: Sequence[float] = (80.0,) * 100, buys: int = 100) -> Window:
    """Under gunicorn: 500 looks of about 20 ms, and 100 times somebody buys; what has no answer failed."""
    look_ms = [20.0 + round] * 500
    measured = plain_window([*look_ms, *buy_ms], 500 + buys, round=round)
    assert measured.load
    assert measured.usage
    sent = {
        "look": RequestResult(500, 500, 500, ladder(look_ms)),
        "buy": RequestResult(buys, buys, len(buy_ms), ladder(buy_ms)),
    }
    costs = {"look": RequestCost(500, 9.0, 1.0), "buy": RequestCost(100, 7.0, 3.0)}
    return replace(
        measured, load=replace(measured.load, by_request=sent), usage=replace(measured.usage, by_request=costs)
    )


def window(server: str, rate_rps: float = 100.0, round: int = 1, seed: int = 0) -> Window:
    """One window of `server` under the default workload, from a queue with as many places as it has slots."""
    model, here = MODELS[server], plan(server, rate_rps=rate_rps, round=round)
    rng = random.Random(f"{seed} {server} {rate_rps} {round}")
    mood = rng.lognormvariate(0, 0.01)
    scheduled = round_half_up(rate_rps * here.duration_s)
    latencies = _queue(model, rate_rps, scheduled, mood, rng)
    patience_ms = (here.duration_s + here.grace_s) * 1000
    ok = [
        latency
        for number, latency in enumerate(latencies)
        if latency < TIMEOUT_S * 1000 and number / rate_rps * 1000 + latency < patience_ms
    ]
    in_time = sum(
        number / rate_rps * 1000 + latency <= here.duration_s * 1000 for number, latency in enumerate(latencies)
    )
    unanswered = scheduled - len(ok)
    warmup = round_half_up(rate_rps * here.warmup_s)
    load = load_result(
        ok,
        scheduled,
        ok_in_time=in_time,
        failed=0,
        unanswered=unanswered,
        total_sent=scheduled + warmup,
        total_requests=len(ok) + warmup,
        vus_max=10 + unanswered,
    )
    spent = Usage(
        requests=len(ok) + warmup + min(unanswered, 3),
        cpu_ms_per_request=round_to(model.cpu_ms * mood * rng.lognormvariate(0, 0.01)),
        service_ms=round_to(model.service_ms * mood),
        memory_mb=round_to(model.memory_mb * rng.lognormvariate(0, 0.004)),
        in_flight_mean=round_to(min(rate_rps * model.service_ms / 1000, model.facts.slots or 1e9)),
        listen_queue_max=float(min(unanswered, 128)),
        throttled_s=0.0,
        listen_overflows=0.0,
        oom_kills=0.0,
        restarts=0,
    )
    return Window(here, load, spent)


def story(rounds: int = 3, rates: Sequence[float] = (100.0, 250.0), seed: int = 0) -> list[Window]:
    """The default run, as docs tell it: five servers, two rates, three rounds."""
    numbers = range(1, rounds + 1)
    return [window(server, rate, number, seed) for number in numbers for rate in rates for server in MODELS]


def samples(in_flight: float, busy_per_s: float, count: int = 10) -> tuple[Sample, ...]:
    """Readings a second apart, idle at both ends, with so many requests in flight and so much time spent per second."""
    quiet = Sample(1000.0, True, 0.0, 0.0, 0.0, 0.0, 0.0, 1e8, 0.0, 0.0, 0.0, 900.0)
    last = count - 1
    return tuple(
        replace(
            quiet, at=1000.0 + second, busy_s=busy_per_s * second, in_flight=in_flight if 0 < second < last else 0.0
        )
        for second in range(count)
    )


def inside(**changes: Any) -> Inside:
    """What goes on inside four workers that are never more than half busy, 800 requests in all."""
    usual = Inside(
        at_once=3,
        at_once_in_one_process=1,
        workers_min=4,
        workers_max=4,
        app_statuses={"200": 800},
        app_time_ms=histogram([22.4] * 800),
        connections_max=4,
        cpus_busy=0.35,
    )
    return replace(usual, **changes)


def histogram(times_ms: Sequence[float]) -> dict[str, float]:
    """Times inside the app in the middleware's buckets, cumulative."""
    counts = {f"{edge:g}": float(sum(ms <= edge for ms in times_ms)) for edge in BUCKET_EDGES_MS}
    return {**counts, "+Inf": float(len(times_ms))}


def inside_of(measured: Window, **changes: Any) -> Window:
    """The window with an account of the inside of its server."""
    assert measured.usage
    return replace(measured, usage=replace(measured.usage, inside=inside(**changes)))


def evidence(*windows: Window, server: ServerFacts | None = None, **changes: Any) -> Evidence:
    """What is known of gunicorn (or of `server`) under the rate of these windows, which ran on one CPU."""
    facts = server or MODELS["gunicorn"].facts
    objective = changes.pop("objective", Slo())
    around = causes.context(windows, objective, changes.pop("cores", 1))
    around = replace(around, **changes.pop("context", {}))
    service_ms = mean([window.usage.service_ms for window in windows if window.usage])
    usual = Evidence(
        facts, windows[0].plan.rate_rps, windows, around, observe(facts, windows, around.cores), service_ms, 100.0
    )
    return replace(usual, **changes)


def round_half_up(value: float) -> int:
    return int(value + 0.5)


def round_to(value: float) -> float:
    return float(f"{value:.5g}")


def _queue(model: Model, rate_rps: float, scheduled: int, mood: float, rng: random.Random) -> list[float]:
    """Response times in ms of evenly spaced requests: first come, first served, by the first slot that is free."""
    free_at = [0.0] * (model.facts.slots or scheduled)
    latencies = []
    for number in range(scheduled):
        arrival_ms = number / rate_rps * 1000
        start = max(arrival_ms, heapq.heappop(free_at))
        end = start + model.service_ms * mood + rng.expovariate(1 / 0.5)
        heapq.heappush(free_at, end)
        latencies.append(end - arrival_ms + 0.4)
    return latencies


def _quantile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
