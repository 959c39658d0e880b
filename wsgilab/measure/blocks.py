"""Blocks of clicks, planned in shuffled rounds and measured one after the other.

A block is one server under one background load. The browser is the same for all of them, each block a new visitor.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from wsgilab.analysis.vital_validity import void_reason
from wsgilab.measure import losses, quiet
from wsgilab.measure.background import Bench, as_window, loaded
from wsgilab.measure.browser import Tab
from wsgilab.measure.driving import DRAIN_TIMEOUT_S
from wsgilab.measure.generator import Load
from wsgilab.measure.lineup import Lineup
from wsgilab.measure.visiting import Visitor
from wsgilab.measure.windows import DRAIN_PATIENCE_S
from wsgilab.model.request import Request
from wsgilab.model.server import Server
from wsgilab.model.vitals import Action, Block, BlockPlan


def plan_blocks(request: Request, servers: Sequence[Server], actions: Sequence[Action]) -> list[BlockPlan]:
    """Every block in its order: rounds of one block for each server and load, shuffled anew each round, and in each
    block the actions. The same seed gives the same order."""
    shuffler = random.Random(request.seed)
    plans: list[BlockPlan] = []
    for number in range(1, request.windows_each + 1):
        cells = [(server.name, rate) for rate in request.rates_rps for server in servers]
        shuffler.shuffle(cells)
        for server, rate in cells:
            names = [action.name for action in actions]
            shuffler.shuffle(names)
            plans.append(BlockPlan(server, rate, number, len(plans), tuple(names), request.clicks))
    return plans


def measured(plans: Sequence[BlockPlan], bench: Bench) -> Iterator[Block]:
    """Each block as it ends. A server that dies is a result: the others go on."""
    engine, stop = bench.engine, bench.stop
    servers = {server.name: server for server in engine.servers}
    lineup = Lineup(engine, stop)
    met: set[tuple[int, str]] = set()
    for plan in plans:
        stop.check()
        server = servers[plan.server]
        if bench.resets:
            lineup.reset(server)
        if (plan.round, plan.server) not in met:  # what belongs to a start is repeated with each round
            lineup.freshen(server)
        met.add((plan.round, plan.server))
        bench.listener.window_started(as_window(plan, bench.workload))
        if loss := lineup.loss(server):
            yield Block(plan, died=loss.died, void=loss.void)
            continue
        began = time.monotonic()
        block, drained = _block(plan, server, bench)
        yield replace(block, took_s=round(time.monotonic() - began, 1))
        lineup.served(server, None)
        if block.died or (not drained and engine.restarts):
            lineup.start_anew(server)


def _block(plan: BlockPlan, server: Server, bench: Bench) -> tuple[Block, bool]:
    """One block, and whether the server was done with all of it at the end."""
    stop = bench.stop
    sample = quiet.sampler(server, bench.engine)
    before = quiet.patiently(sample, server, bench.engine, stop)
    if before is None:
        loss = losses.without_reading(server, losses.BEFORE, bench.engine)
        return Block(plan, died=loss.died, void=loss.void), True
    with loaded(plan, server, bench) as (load, warm), bench.browser.tab() as tab:
        waited_s = bench.browser.waited_s
        visitor, ended = _clicked(plan, server, tab, load, bench)
        passed_s = time.time() - warm.at
        waited_s = max(0.0, bench.browser.waited_s - waited_s)
        during = sample()
    after, drained = quiet.drain(sample, stop, DRAIN_TIMEOUT_S if bench.engine.restarts else DRAIN_PATIENCE_S)
    died = losses.death(server, before, after, bench.engine) if after else bench.engine.death(server)
    served = (during.requests - warm.requests) / (during.at - warm.at) if during else None
    block = Block(
        plan,
        tuple(visitor.clicks),
        tuple(visitor.pages),
        served_rps=round(served, 1) if served is not None else None,
        browser_wait_share=round(waited_s / passed_s, 3),
        died=died,
    )
    void = "k6, which made the background load, ended before the last click" if ended else void_reason(block)
    return (block if died else replace(block, void=void)), drained


def _clicked(plan: BlockPlan, server: Server, tab: Tab, load: Load | None, bench: Bench) -> tuple[Visitor, bool]:
    """(somebody who has clicked on everything, whether the load had ended before that)."""
    known = {action.name: action for action in bench.actions}
    visitor = Visitor(tab, bench.engine.endpoint(server).url, known[plan.actions[0]].page)

    def may_go_on() -> bool:
        bench.stop.check()
        return load is None or not load.poll()

    for name in plan.actions:
        visitor.use(known[name], plan.clicks, may_go_on)
    return visitor, load is not None and load.poll()
