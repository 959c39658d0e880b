"""Rounds of windows: plan them, measure each, save each at once."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

from wsgilab.analysis.causes import deaths
from wsgilab.analysis.counts import counted_more
from wsgilab.analysis.validity import void_reason
from wsgilab.engines import Engine
from wsgilab.errors import LabError, UsageError
from wsgilab.machine.waiting import Stop
from wsgilab.measure import losses, quiet
from wsgilab.measure.generator import Load, LoadGenerator
from wsgilab.measure.lineup import Lineup
from wsgilab.measure.log_lines import is_odd, may_tell_of_refusals, with_log, with_refusals
from wsgilab.measure.quiet import Sampler
from wsgilab.measure.readings import Reading
from wsgilab.measure.usage import to_usage
from wsgilab.model import words
from wsgilab.model.server import Server
from wsgilab.model.window import LoadResult, Usage, Window, WindowPlan

SAMPLE_EVERY_S = 1.0
DRAIN_TIMEOUT_S = 1.5
"""A server that is still busy after this gets a fresh start where the engine can give it one."""
DRAIN_PATIENCE_S = 40.0
"""And where it cannot, this long at most: a full queue of 512 at 40 requests a second, and some."""


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
    keep_alive: bool = False
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
    hopeless: Callable[[float], str | None] = lambda _rate_rps: None
    """Why no window at a rate can be judged; None where it can. It may take a moment to learn."""
    resets: bool = False
    """Whether the app has a command that has each window find what the first one found."""


def plan_windows(settings: Settings) -> list[WindowPlan]:
    """Every window of a run in its order: rounds of one window for each server and rate, shuffled anew each round.

    Each round begins with a fresh start of each server: what belongs to a start is repeated with it.
    The same seed gives the same order. Shuffling keeps a drift of the machine from favouring the one that comes first
    (Abedi & Brecht, ICPE 2017: randomized multiple interleaved trials).
    Raises UsageError where a window would end before its first request: it could only be void.
    """
    slowest = min(settings.rates_rps)
    if slowest * settings.duration_s < 1:
        raise UsageError(
            f"At {slowest:g} rps there is not one request in {settings.duration_s:g} s.",
            "the rate is too low for windows so short",
            f"./lab run --rate {math.ceil(100 / settings.duration_s) / 100:g} --duration {settings.duration_s:g}",
        )
    return [plan for plans in islice(plan_rounds(settings), settings.rounds) for plan in plans]


def plan_rounds(settings: Settings) -> Iterator[list[WindowPlan]]:
    """Round after round without an end: each the windows of it in their order. `plan_windows` says which."""
    shuffler = random.Random(settings.seed)
    cells = [(server, rate) for rate in settings.rates_rps for server in settings.servers]
    for number in count(1):
        order = list(cells)
        shuffler.shuffle(order)
        yield [
            replace(
                settings.window(server, rate, settings.duration_s, number, (number - 1) * len(cells) + place),
                fresh=number > 1 and server not in [other for other, _ in order[:place]],
            )
            for place, (server, rate) in enumerate(order)
        ]


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
    lineup = Lineup(bench.engine, bench.stop)
    for plan in plans:
        bench.stop.check()
        server = servers[plan.server]
        if bench.resets:
            lineup.reset(server)
        start_s = lineup.freshen(server) if plan.fresh else 0.0
        announce(plan)
        if loss := lineup.loss(server):
            save(loss.window(plan))
            continue
        bench.hopeless(plan.rate_rps)  # what takes a moment to learn is no part of the window
        began = time.monotonic()
        outcome = measure_window(plan, server, bench, lineup.rested(server))
        window = replace(outcome.window, start_s=start_s, took_s=time.monotonic() - began)
        if lost := losses.of_services(bench.engine, losses.IN):
            window = replace(window, died=None, void=lost.void)
        window = _with_its_own_words(window, server, bench)
        save(window)
        lineup.served(server, outcome.after)
        _make_ready_again(server, window, outcome.drained, bench, lineup)


@dataclass(frozen=True)
class Outcome:
    """What came of a window."""

    window: Window
    drained: bool = False
    """Whether the server was done with all of it at the end."""
    after: Reading | None = None
    """The last reading, where there are figures."""


def measure_window(plan: WindowPlan, server: Server, bench: Bench, rested: Reading | None = None) -> Outcome:
    """One window: read the exporter, drive the load while reading on, wait for the last answers, read again.

    `rested`: the last reading of the window before, of the same start.
    """
    sample = quiet.sampler(server, bench.engine)
    before = quiet.patiently(sample, server, bench.engine, bench.stop)
    if before is None:
        return Outcome(losses.without_reading(server, losses.BEFORE, bench.engine).window(plan))
    result, during, problem = _drive(plan, server, sample, bench)
    # Where answers are still owed, waiting would only delay the fresh start.
    overdue = result is not None and result.unanswered > 0 and bench.engine.restarts
    after, drained = quiet.drain(sample, bench.stop, 0.0 if overdue else DRAIN_TIMEOUT_S)
    after = after or quiet.patiently(sample, server, bench.engine, bench.stop)
    if after is None:
        return Outcome(losses.without_reading(server, losses.IN, bench.engine).window(plan, result))
    if died := losses.death(server, before, after, bench.engine):
        return Outcome(Window(plan, result, None, died=died))
    names = tuple(result.by_request) if result else ()
    usage = to_usage(before, during, after, _measured_part(result, before, plan), rested, names)
    if drained and result and (more := counted_more(result, usage)):
        usage = replace(usage, asked_alone_rps=quiet.asked_alone_rps(sample, bench.stop, more / result.wall_s))
    window = Window(plan, result, usage, notes=_notes(usage))
    lost = losses.lost_proxy(server, before, after, bench.engine)
    limit = bench.generator.limit(result) if result else None
    void = problem or lost or limit or void_reason(window) or bench.hopeless(plan.rate_rps)
    return Outcome(replace(window, void=void), drained and lost is None, after)


def _with_its_own_words(window: Window, server: Server, bench: Bench) -> Window:
    """The window with what its server wrote, where something was odd: before its log goes with a fresh start."""
    refused = may_tell_of_refusals(window)
    if not (refused or is_odd(window, bench.generator)):
        return window
    written = bench.engine.log(server)
    window = with_refusals(window, written) if refused else window
    known = {**server.environment, **(server.app.variables if server.app else {})}
    return with_log(window, written, known) if is_odd(window, bench.generator) else window


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


def _make_ready_again(server: Server, window: Window, drained: bool, bench: Bench, lineup: Lineup) -> None:
    """Before the next window nothing of this one is left: the server has drained, or is a fresh one."""
    if bench.engine.one_at_a_time:
        return  # the next one takes its place
    if window.died or (not drained and bench.engine.restarts) or bench.engine.proxy_death(server):
        lineup.start_anew(server)
    elif not drained:
        quiet.drain(quiet.sampler(server, bench.engine), bench.stop, DRAIN_PATIENCE_S)


def _measured_part(result: LoadResult | None, before: Reading, plan: WindowPlan) -> tuple[float, float]:
    """Start and end of the part that counts, in epoch seconds."""
    start = result.started_at if result and result.started_at else before.at + plan.warmup_s
    return start, start + plan.duration_s


def _notes(usage: Usage) -> tuple[str, ...]:
    """What the kernel did to the server in this window, and which of its workers ended, in words."""
    notes = []
    if usage.listen_overflows:
        notes.append(f"{words.counted(int(usage.listen_overflows), 'connection attempt')} found the listen queue full")
    if usage.throttled_s > 0:
        notes.append(f"throttled for {usage.throttled_s:.2f} s by a CPU quota")
    if usage.oom_kills:
        processes = "process" if usage.oom_kills == 1 else "processes"
        notes.append(f"{usage.oom_kills:g} {processes} killed by the kernel (out of memory)")
    return (*notes, *deaths.in_words(usage.inside.worker_ends if usage.inside else {}))
