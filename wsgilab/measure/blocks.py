"""Blocks of clicks, planned in shuffled rounds and measured one after the other.

A block is one server under one background load. The browser is the same for all of them, each block a new visitor.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from wsgilab.analysis.vital_validity import void_reason
from wsgilab.engines import Engine
from wsgilab.machine import cpu_time
from wsgilab.measure import losses, quiet
from wsgilab.measure.background import Bench, as_window, offered, warmed
from wsgilab.measure.driving import DRAIN_TIMEOUT_S
from wsgilab.measure.generator import Load
from wsgilab.measure.lineup import Lineup
from wsgilab.measure.losses import Loss
from wsgilab.measure.readings import Reading
from wsgilab.measure.tab import Tab, TabCrashed
from wsgilab.measure.visiting import Visitor
from wsgilab.measure.windows import DRAIN_PATIENCE_S
from wsgilab.model.request import Request
from wsgilab.model.server import Server
from wsgilab.model.vitals import Action, Block, BlockPlan

K6_ENDED = "k6, which made the background load, ended before the last click"


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
            yield _lost(Block(plan), loss)
            continue
        began = time.monotonic()
        block, drained = _block(plan, server, bench)
        yield replace(block, took_s=round(time.monotonic() - began, 1))
        lineup.served(server, None)
        if block.died or engine.proxy_death(server) or (not drained and engine.restarts):
            lineup.start_anew(server)


def _block(plan: BlockPlan, server: Server, bench: Bench) -> tuple[Block, bool]:
    """One block, and whether the server was done with all of it at the end."""
    stop = bench.stop
    sample = quiet.sampler(server, bench.engine)
    before = quiet.patiently(sample, server, bench.engine, stop)
    if before is None:
        return _lost(Block(plan), losses.without_reading(server, losses.BEFORE, bench.engine)), True
    with offered(plan, server, bench) as load, bench.browser.tab() as tab:  # which opens while the load begins
        warm = warmed(load, server, before, bench)
        began = cpu_time.use_of(bench.browser.cpus)
        visitor, problem = _clicked(plan, server, tab, load, bench)
        ended, during = cpu_time.use_of(bench.browser.cpus), sample()
    after, drained = quiet.drain(sample, stop, DRAIN_TIMEOUT_S if bench.engine.restarts else DRAIN_PATIENCE_S)
    after = after or quiet.patiently(sample, server, bench.engine, stop)
    passed_s = during.at - warm.at if during else 0.0
    block = Block(
        plan,
        tuple(visitor.clicks),
        tuple(visitor.pages),
        served_rps=round((during.requests - warm.requests) / passed_s, 1) if during and passed_s > 0 else None,
        foreign_cpu_share=round(ended.foreign_share_since(began), 3) if began and ended else None,
    )
    if loss := _loss(server, before, after, bench.engine):
        return _lost(block, loss), drained
    return replace(block, void=problem or void_reason(block)), drained


def _clicked(plan: BlockPlan, server: Server, tab: Tab, load: Load | None, bench: Bench) -> tuple[Visitor, str | None]:
    """(somebody who has clicked on everything, or as far as that went; why it went no further, if it is not the server
    that ended)."""
    known = {action.name: action for action in bench.actions}
    visitor = Visitor(tab, bench.engine.endpoint(server).url)

    def may_go_on() -> bool:
        bench.stop.check()
        return not (load and load.poll()) and not bench.engine.death(server)

    try:
        visitor.arrive(known[plan.actions[0]].page)
        for name in plan.actions:
            visitor.use(known[name], plan.clicks, may_go_on)
    except TabCrashed:
        return visitor, "the browser's tab crashed"
    return visitor, K6_ENDED if load and load.poll() else None


def _loss(server: Server, before: Reading, after: Reading | None, engine: Engine) -> Loss | None:
    """What was lost meanwhile: a service of the app, the server, or the proxy in front of it; None for nothing."""
    if lost := losses.of_services(engine, losses.IN):
        return lost
    if after is None:
        return losses.without_reading(server, losses.IN, engine)
    died, proxy = losses.death(server, before, after, engine), losses.lost_proxy(server, before, after, engine)
    return Loss(died, None if died else proxy) if died or proxy else None


def _lost(block: Block, loss: Loss) -> Block:
    """A block without what was lost, which is told in the words of windows."""
    died, void = (text and text.replace("the window", "the block") for text in (loss.died, loss.void))
    return replace(block, died=died, void=void)
