"""The load that others make while a browser clicks: k6, by few clients, for as long as it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wsgilab.engines import Engine
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.measure import quiet
from wsgilab.measure.browser import Browser
from wsgilab.measure.generator import Load, LoadGenerator
from wsgilab.measure.readings import Reading
from wsgilab.model.listener import Listener
from wsgilab.model.server import Server
from wsgilab.model.vitals import CONTENT_TIMEOUT_S, IDLE, Action, BlockPlan
from wsgilab.model.window import WindowPlan

CLICK_LASTS_S, REST_LASTS_S = CONTENT_TIMEOUT_S + 2.0, 600.0
"""Longer than any click, and than what a block is besides: the load is ended with the last click, not before."""
WARMUP_S = 1.0
"""How long the server has its load before somebody clicks. It is no warm-up of k6's: between that and what k6 measures
nothing is asked for half a second, in which the first clicks would be idle ones."""
ARRIVES_WITHIN_S = 15.0
"""How long the load may take to reach its server."""


@dataclass(frozen=True)
class Bench:
    """The tools of a measurement: servers, those who load them, who clicks, and who may interrupt."""

    engine: Engine
    generator: LoadGenerator
    browser: Browser
    actions: tuple[Action, ...]
    workload: str
    stop: Stop
    listener: Listener
    follow: Callable[[Load], None] = lambda _load: None
    """Gets each load as it starts, to watch what it uses."""
    resets: bool = False
    """Whether the app has a command that has each block find what the first one found."""


@contextmanager
def offered(plan: BlockPlan, server: Server, bench: Bench) -> Iterator[Load | None]:
    """The load of a block, for as long as that lasts; None while idle."""
    if plan.rate_rps == IDLE:
        yield None
        return
    with bench.generator.start(as_window(plan, bench.workload), bench.engine.endpoint(server)) as load:
        bench.follow(load)
        yield load


def warmed(load: Load | None, server: Server, before: Reading, bench: Bench) -> Reading:
    """Wait until the server has its load and is warm, and give a reading of it then. `before`: the last one."""
    if load is None:
        return before
    sample = quiet.sampler(server, bench.engine)

    def arrived() -> bool:
        reading = sample()
        return load.poll() or (reading is not None and reading.requests > before.requests)

    poll_until(arrived, bench.stop, ARRIVES_WITHIN_S)
    bench.stop.wait(WARMUP_S)
    return sample() or before


def as_window(plan: BlockPlan, workload: str) -> WindowPlan:
    """The block's load in the words of a window, which k6 and those who look on understand."""
    return WindowPlan(
        server=plan.server,
        workload=workload,
        rate_rps=plan.rate_rps,
        round=plan.round,
        order=plan.order,
        warmup_s=0.0,
        duration_s=REST_LASTS_S + CLICK_LASTS_S * len(plan.actions) * plan.clicks,
        timeout_s=10.0,
        grace_s=0.0,
    )
