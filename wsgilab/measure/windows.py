"""Rounds of windows: plan them, measure each, save each at once."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from wsgilab.analysis.causes import deaths
from wsgilab.analysis.validity import void_reason
from wsgilab.engines import Engine
from wsgilab.errors import LabError, MissingError, ServerError, UsageError
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.measure import losses
from wsgilab.measure.generator import Load, LoadGenerator
from wsgilab.measure.losses import Loss
from wsgilab.measure.readings import Reading, take_reading
from wsgilab.measure.usage import to_usage
from wsgilab.model.server import Server
from wsgilab.model.window import LoadResult, Usage, Window, WindowPlan

SAMPLE_EVERY_S = 1.0
DRAIN_TIMEOUT_S = 1.5
"""A server that is still busy after this gets a fresh start where the engine can give it one."""
DRAIN_PATIENCE_S = 40.0
"""And where it cannot, this long at most: a full queue of 512 at 40 requests a second, and some."""
EXPORTER_PATIENCE_S = 5.0
"""An exporter shares its server's CPU; one late answer is no death."""

Sampler = Callable[[], Reading | None]


@dataclass(frozen=True)
class Settings:
    """What to measure and for how long."""

    servers: tuple[str, ...]
    workload: str
    rates_rps: tuple[float, ...]
    rounds: int
    duration_s: float
    warmup_s: float = 1.0
    timeout_s: float = 10.0
    grace_s: float = 2.0
    seed: int = 0

    def window(self, server: str, rate_rps: float, duration_s: float, round: int, order: int) -> WindowPlan:
        """One window with these settings."""
        return WindowPlan(
            server=server,
            workload=self.workload,
            rate_rps=rate_rps,
            round=round,
            order=order,
            warmup_s=self.warmup_s,
            duration_s=duration_s,
            timeout_s=self.timeout_s,
            grace_s=self.grace_s,
        )


@dataclass(frozen=True)
class Bench:
    """The tools of a run: where the servers are, what drives them, and who may interrupt."""

    engine: Engine
    generator: LoadGenerator
    stop: Stop
    follow: Callable[[Load], None] = lambda _load: None
    """Gets each load as it starts, to watch what it uses."""


def plan_windows(settings: Settings) -> list[WindowPlan]:
    """Every window of a run in its order: rounds of one window for each server and rate, shuffled anew each round.

    The same seed gives the same order. Shuffling keeps a drift of the machine from favouring whoever comes first
    (Abedi & Brecht, ICPE 2017: randomized multiple interleaved trials).
    Raises UsageError where a window would end before its first request: it could only be void.
    """
    slowest = min(settings.rates_rps)
    if slowest * settings.duration_s < 1:
        raise UsageError(
            f"At {slowest:g} rps there is not one request in {settings.duration_s:g} s.",
            "the rate is too low for windows so short",
            f"--rate {math.ceil(100 / settings.duration_s) / 100:g} or more, or a longer --duration",
        )
    shuffler = random.Random(settings.seed)
    plans: list[WindowPlan] = []
    for number in range(1, settings.rounds + 1):
        cells = [(server, rate) for rate in settings.rates_rps for server in settings.servers]
        shuffler.shuffle(cells)
        for server, rate in cells:
            plans.append(settings.window(server, rate, settings.duration_s, number, order=len(plans)))
    return plans


def measure(
    plans: Iterable[WindowPlan],
    bench: Bench,
    save: Callable[[Window], None],
    announce: Callable[[WindowPlan], None],
) -> None:
    """Measure the windows one after the other; `save` gets each the moment it ends, `announce` each before.

    `plans` may be made as it goes: the next one is asked for when the one before is saved.
    A server that dies is a result, not the end: the others go on. Raises Interrupted between two waits; what was
    saved stays saved.
    """
    servers = {server.name: server for server in bench.engine.servers}
    gone: dict[str, Loss] = {}
    for plan in plans:
        bench.stop.check()
        announce(plan)
        server, began = servers[plan.server], time.monotonic()
        if server.name in gone:
            save(gone[server.name].window(plan))
            continue
        window, drained = measure_window(plan, server, bench)
        save(replace(window, took_s=time.monotonic() - began))
        try:
            _make_ready_again(server, window, drained, bench)
        except ServerError as error:
            gone[server.name] = Loss(died=f"did not start again: {error.what.splitlines()[0]}")
        except MissingError as error:
            gone[server.name] = Loss(void=f"it could not be measured any more: {error.what.splitlines()[0]}")


def measure_window(plan: WindowPlan, server: Server, bench: Bench) -> tuple[Window, bool]:
    """One window: read the exporter, drive the load while reading on, wait for the last answers, read again.

    Gives the window, and whether the server was done with all of it at the end.
    """
    sample = _sampler(server, bench)
    before = _patiently(sample, server, bench)
    if before is None:
        return losses.without_reading(server, losses.BEFORE, bench.engine).window(plan), False
    result, during, problem = _drive(plan, server, sample, bench)
    # Where answers are still owed, waiting would only delay the fresh start.
    overdue = result is not None and result.unanswered > 0 and bench.engine.restarts
    after, drained = _drain(sample, bench.stop, 0.0 if overdue else DRAIN_TIMEOUT_S)
    after = after or _patiently(sample, server, bench)
    if after is None:
        return losses.without_reading(server, losses.IN, bench.engine).window(plan, result), False
    if died := losses.death(server, before, after, bench.engine):
        return Window(plan, result, None, died=died), False
    usage = to_usage(before, during, after, _measured_part(result, before, plan))
    window = Window(plan, result, usage, notes=_notes(usage))
    lost = losses.lost_proxy(server, before, after, bench.engine)
    limit = bench.generator.limit(result) if result else None
    void = problem or lost or limit or void_reason(window)
    return replace(window, void=void), drained and lost is None


def _drive(
    plan: WindowPlan, server: Server, sample: Sampler, bench: Bench
) -> tuple[LoadResult | None, list[Reading], str | None]:
    """Drive the load and read the exporter about once a second. (result, readings, what went wrong with the load)."""
    during: list[Reading] = []
    next_sample = time.monotonic() + SAMPLE_EVERY_S
    with bench.generator.start(plan, bench.engine.endpoint(server)) as load:
        bench.follow(load)
        while not load.poll():
            bench.stop.wait(0.1)
            if time.monotonic() >= next_sample:
                next_sample += SAMPLE_EVERY_S
                during += [reading] if (reading := sample()) else []
        try:
            return load.result(), during, None
        except LabError as error:
            return None, during, error.what


def _drain(sample: Sampler, stop: Stop, timeout_s: float) -> tuple[Reading | None, bool]:
    """Wait until nothing is in flight or queued and no request was counted since the reading before.

    Gives the last reading (None where the exporter is gone) and whether it got that far within `timeout_s`.
    """
    readings = [sample()]

    def quiet() -> bool:
        readings.append(sample())
        return readings[-1] is None or _is_quiet(*readings[-2:])

    ended = poll_until(quiet, stop, timeout_s, every_s=0.1)
    return readings[-1], ended and readings[-1] is not None


def _patiently(sample: Sampler, server: Server, bench: Bench) -> Reading | None:
    """A reading, asked for until there is one; None when server or proxy is dead, or an exporter stays silent."""
    readings: list[Reading | None] = []

    def answered() -> bool:
        readings.append(sample())
        return bool(readings[-1] or bench.engine.death(server) or bench.engine.proxy_death(server))

    poll_until(answered, bench.stop, EXPORTER_PATIENCE_S, every_s=0.1)
    return readings[-1]


def _is_quiet(previous: Reading | None, latest: Reading | None) -> bool:
    if previous is None or latest is None:
        return False
    return latest.in_flight <= 0 and latest.listen_queue <= 0 and previous.requests == latest.requests


def _make_ready_again(server: Server, window: Window, drained: bool, bench: Bench) -> None:
    """Before the next window nothing of this one is left: the server has drained, or is a fresh one."""
    if window.died or (not drained and bench.engine.restarts) or bench.engine.proxy_death(server):
        bench.engine.restart(server)
    elif not drained:
        _drain(_sampler(server, bench), bench.stop, DRAIN_PATIENCE_S)


def _sampler(server: Server, bench: Bench) -> Sampler:
    at = bench.engine.endpoint(server)
    return lambda: take_reading(at.exporter_url, at.proxy_exporter_url, at.run_id)


def _measured_part(result: LoadResult | None, before: Reading, plan: WindowPlan) -> tuple[float, float]:
    """Start and end of the part that counts, in epoch seconds."""
    start = result.started_at if result and result.started_at else before.at + plan.warmup_s
    return start, start + plan.duration_s


def _notes(usage: Usage) -> tuple[str, ...]:
    """What the kernel did to the server in this window, and which of its workers ended, in words."""
    notes = []
    if usage.listen_overflows:
        notes.append(f"{usage.listen_overflows:g} connections found the listen queue full")
    if usage.throttled_s > 0:
        notes.append(f"throttled for {usage.throttled_s:.2f} s by a CPU quota")
    if usage.oom_kills:
        processes = "process" if usage.oom_kills == 1 else "processes"
        notes.append(f"{usage.oom_kills:g} {processes} killed by the kernel (out of memory)")
    return (*notes, *deaths.in_words(usage.inside.worker_ends if usage.inside else {}))
