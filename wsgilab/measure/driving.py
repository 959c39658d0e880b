"""One window: read the exporter, drive the load while reading on, wait for the last answers, read again.

Of one server, or of two that take turns: then each has a window of its own, of the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from wsgilab.analysis.causes import deaths
from wsgilab.analysis.counts import counted_more
from wsgilab.analysis.validity import void_reason
from wsgilab.engines import Endpoint, Engine
from wsgilab.errors import LabError
from wsgilab.machine.waiting import Stop
from wsgilab.measure import losses, quiet
from wsgilab.measure.generator import Load, LoadGenerator, LoadInTurns
from wsgilab.measure.losses import Loss
from wsgilab.measure.quiet import Sampler
from wsgilab.measure.readings import Reading
from wsgilab.measure.usage import to_usage
from wsgilab.model import words
from wsgilab.model.server import Server
from wsgilab.model.window import LoadResult, Usage, Window, WindowPlan

SAMPLE_EVERY_S = 1.0
DRAIN_TIMEOUT_S = 1.5
"""A server that is still busy after this gets a fresh start where the engine can give it one."""
StartTurns = Callable[[Sequence[WindowPlan], Sequence[Endpoint]], LoadInTurns]
WITHOUT_THE_OTHER = Loss(void="the server that it took turns with was lost")


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
    start_turns: StartTurns | None = None
    """Starts the load of two servers that take turns, at their endpoints; None where the generator cannot."""
    resets: bool = False
    """Whether the app has a command that has each window find what the first one found."""


@dataclass(frozen=True)
class Side:
    """A window to be measured, and its server."""

    plan: WindowPlan
    server: Server
    rested: Reading | None = None
    """The last reading of the window before, of the same start."""


@dataclass(frozen=True)
class Outcome:
    """What came of a window."""

    window: Window
    drained: bool = False
    """Whether the server was done with all of it at the end."""
    after: Reading | None = None
    """The last reading, where there are figures."""


def measure_window(plan: WindowPlan, server: Server, bench: Bench, rested: Reading | None = None) -> Outcome:
    """One window of one server."""
    (outcome,) = measure_sides([Side(plan, server, rested)], bench)
    return outcome


def measure_sides(sides: Sequence[Side], bench: Bench) -> list[Outcome]:
    """The window of one server, or those of two that take turns: a bench that has both can start turns."""
    samples = [quiet.sampler(side.server, bench.engine) for side in sides]
    before = [
        quiet.patiently(sample, side.server, bench.engine, bench.stop)
        for sample, side in zip(samples, sides, strict=True)
    ]
    if any(reading is None for reading in before):
        return [_lost(side, reading, bench) for side, reading in zip(sides, before, strict=True)]
    results, during, problem = _drive(sides, samples, bench)
    them = zip(sides, samples, before, during, results, strict=True)
    return [
        _ended(side, sample, (first, readings), result, problem, bench)
        for side, sample, first, readings, result in them
        if first
    ]


def _lost(side: Side, before: Reading | None, bench: Bench) -> Outcome:
    """What is left of a window where a server, this one or the other, could not be read before it."""
    if before:
        return Outcome(WITHOUT_THE_OTHER.window(side.plan), drained=True)
    return Outcome(losses.without_reading(side.server, losses.BEFORE, bench.engine).window(side.plan))


def _ended(
    side: Side,
    sample: Sampler,
    readings: tuple[Reading, Sequence[Reading]],
    result: LoadResult | None,
    problem: str | None,
    bench: Bench,
) -> Outcome:
    """The window when its load has ended. `readings`: the one before, those meanwhile. `problem`: with the load."""
    plan, server, (before, during) = side.plan, side.server, readings
    # Where answers are still owed, waiting would only delay the fresh start.
    overdue = result is not None and result.unanswered > 0 and bench.engine.restarts
    after, drained = quiet.drain(sample, bench.stop, 0.0 if overdue else DRAIN_TIMEOUT_S)
    after = after or quiet.patiently(sample, server, bench.engine, bench.stop)
    if after is None:
        return Outcome(losses.without_reading(server, losses.IN, bench.engine).window(plan, result))
    if died := losses.death(server, before, after, bench.engine):
        return Outcome(Window(plan, result, None, died=died))
    names = tuple(result.by_request) if result else ()
    usage = to_usage(before, during, after, _measured_part(result, before, plan), side.rested, names)
    if drained and result and (more := counted_more(result, usage)):
        usage = replace(usage, asked_alone_rps=quiet.asked_alone_rps(sample, bench.stop, more / result.wall_s))
    window = Window(plan, result, usage, notes=_notes(usage))
    lost = losses.lost_proxy(server, before, after, bench.engine)
    limit = bench.generator.limit(result) if result else None
    void = problem or lost or limit or void_reason(window) or bench.hopeless(plan.rate_rps)
    return Outcome(replace(window, void=void), drained and lost is None, after)


def _drive(
    sides: Sequence[Side], samples: Sequence[Sampler], bench: Bench
) -> tuple[Sequence[LoadResult | None], Sequence[Sequence[Reading]], str | None]:
    """Drive the load and read exporters about once a second. (results, readings, what went wrong with the load)."""
    during: list[list[Reading]] = [[] for _ in sides]
    next_sample = time.monotonic() + SAMPLE_EVERY_S
    load, results = _start(sides, bench)
    with load:
        bench.follow(load)
        while not load.poll():
            bench.stop.wait(0.1)
            if time.monotonic() >= next_sample:
                next_sample += SAMPLE_EVERY_S
                for sample, readings in zip(samples, during, strict=True):
                    readings.extend([reading] if (reading := sample()) else [])
        try:
            return results(), during, None
        except LabError as error:
            return [None] * len(sides), during, error.what


def _start(sides: Sequence[Side], bench: Bench) -> tuple[Load, Callable[[], Sequence[LoadResult]]]:
    """The load, and what gives the result of each side when it has ended."""
    ends = [bench.engine.endpoint(side.server) for side in sides]
    if len(sides) == 1:
        load = bench.generator.start(sides[0].plan, ends[0])
        return load, lambda: [load.result()]
    if bench.start_turns is None:
        raise ValueError(f"{bench.generator.name} cannot have servers take turns")
    turns = bench.start_turns([side.plan for side in sides], ends)
    return turns, turns.results


def _measured_part(result: LoadResult | None, before: Reading, plan: WindowPlan) -> tuple[float, float]:
    """Start and end of the part that counts, in epoch seconds."""
    start = result.started_at if result and result.started_at else before.at + plan.warmup_s
    return start, start + plan.schedule_s


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
