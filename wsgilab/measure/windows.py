"""Rounds of windows: plan them, measure each, save each at once."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice, permutations

from wsgilab.errors import UsageError
from wsgilab.measure import losses, quiet
from wsgilab.measure.driving import WITHOUT_THE_OTHER, Bench, Side, measure_sides
from wsgilab.measure.lineup import Lineup
from wsgilab.measure.log_lines import is_odd, may_tell_of_refusals, with_log, with_refusals
from wsgilab.model.server import Server
from wsgilab.model.window import Window, WindowPlan

DRAIN_PATIENCE_S = 40.0
"""How long a server that is still busy is waited for where the engine cannot give it a fresh start: a full queue of 512
at 40 requests a second, and some."""


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
    pairs: tuple[tuple[str, str], ...] = ()
    """Servers that also take turns, two in a window: at the end of each round, at each rate."""

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
    alone = [(server, rate) for rate in settings.rates_rps for server in settings.servers]
    turns = [(pair, rate) for rate in settings.rates_rps for pair in settings.pairs]
    for number in count(1):
        order = list(alone)
        shuffler.shuffle(order)
        places = count((number - 1) * (len(alone) + 2 * len(turns)))
        yield [
            *(
                replace(
                    settings.window(server, rate, settings.duration_s, number, next(places)),
                    fresh=number > 1 and server not in [other for other, _ in order[:before]],
                )
                for before, (server, rate) in enumerate(order)
            ),
            *(
                replace(settings.window(server, rate, settings.duration_s, number, next(places)), turns_with=other)
                for pair, rate in turns
                for server, other in permutations(shuffler.sample(pair, 2))
            ),
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
    for together in _windows_at_once(plans):
        bench.stop.check()
        if bench.resets:
            for plan in together:
                lineup.reset(servers[plan.server])
        start_s = [lineup.freshen(servers[plan.server]) if plan.fresh else 0.0 for plan in together]
        announce(together[0])
        lost = [lineup.loss(servers[plan.server]) for plan in together]
        if any(lost):
            for plan, loss, started_s in zip(together, lost, start_s, strict=True):
                save(replace((loss or WITHOUT_THE_OTHER).window(plan), start_s=started_s))
            continue
        bench.hopeless(together[0].rate_rps)  # what takes a moment to learn is no part of the window
        began = time.monotonic()
        sides = [Side(plan, servers[plan.server], lineup.rested(servers[plan.server])) for plan in together]
        outcomes = measure_sides(sides, bench)
        took_s = (time.monotonic() - began) / len(together)
        gone = losses.of_services(bench.engine, losses.IN)
        for side, outcome, started_s in zip(sides, outcomes, start_s, strict=True):
            window = replace(outcome.window, start_s=started_s, took_s=took_s)
            if gone:
                window = replace(window, died=None, void=gone.void)
            save(_with_its_own_words(window, side.server, bench))
            lineup.served(side.server, outcome.after)
        for side, outcome in zip(sides, outcomes, strict=True):  # when all are saved: it may take long
            died = None if gone else outcome.window.died
            _make_ready_again(side.server, died, outcome.drained, bench, lineup)


def _windows_at_once(plans: Iterable[WindowPlan]) -> Iterator[list[WindowPlan]]:
    """One after the other; those of two servers that take turns, which follow each other, together."""
    coming = iter(plans)
    for plan in coming:
        yield [plan, next(coming)] if plan.turns_with else [plan]


def _with_its_own_words(window: Window, server: Server, bench: Bench) -> Window:
    """The window with what its server wrote, where something was odd: before its log goes with a fresh start."""
    refused = may_tell_of_refusals(window)
    if not (refused or is_odd(window, bench.generator)):
        return window
    written = bench.engine.log(server)
    window = with_refusals(window, written) if refused else window
    known = {**server.environment, **(server.app.variables if server.app else {})}
    return with_log(window, written, known) if is_odd(window, bench.generator) else window


def _make_ready_again(server: Server, died: str | None, drained: bool, bench: Bench, lineup: Lineup) -> None:
    """Before the next window nothing of this one is left: the server has drained, or is a fresh one."""
    if bench.engine.one_at_a_time:
        return  # the next one takes its place
    if died or (not drained and bench.engine.restarts) or bench.engine.proxy_death(server):
        lineup.start_anew(server)
    elif not drained:
        quiet.drain(quiet.sampler(server, bench.engine), bench.stop, DRAIN_PATIENCE_S)
