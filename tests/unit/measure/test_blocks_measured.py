"""What becomes of a block of clicks when a server, its proxy, k6 or a tab ends in it: all of them scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from factories import samples
from support import ROOT

from wsgilab.engines import Endpoint
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.measure import blocks
from wsgilab.measure.background import Bench
from wsgilab.measure.blocks import K6_ENDED, measured
from wsgilab.measure.readings import Reading
from wsgilab.measure.tab import TabCrashed
from wsgilab.model.listener import UNHEARD
from wsgilab.model.server import Server
from wsgilab.model.vitals import BLOCKING, Action, Block, BlockPlan, Click, PageLoad

(SERVER,) = load_lab(ROOT, {}).select(["uwsgi"])
QUIET = Reading(**asdict(samples(0.0, 0.0, 1)[0]))
CLICK = Click(BLOCKING.name, 40.0, 1.0, 41.0, "element", interactions=1)


class World(Stop):
    """The engine, the exporter, k6, the browser and the tab of one test."""

    name, restarts, one_at_a_time = "local", True, False
    servers = running = (SERVER,)

    def __init__(self) -> None:
        super().__init__()
        self.restarted = 0
        self.dead: str | None = None
        self.dead_proxy: str | None = None
        self.silent = False
        self.k6_ended = False
        self.on_click: Callable[[], None] = lambda: None
        self.cpus: set[int] = set()
        self.path = "/page"

    def wait(self, _seconds: float) -> None:
        self.check()

    def endpoint(self, _server: Server) -> Endpoint:
        return Endpoint("http://server", "http://exporter", "http://proxy")

    def death(self, _server: Server) -> str | None:
        return self.dead

    def proxy_death(self, _server: Server) -> str | None:
        return self.dead_proxy

    def lives(self, _server: Server) -> bool:
        return not self.silent

    def lost_service(self) -> str | None:
        return None

    def restart(self, _server: Server) -> None:
        self.restarted += 1
        self.dead = self.dead_proxy = None

    def reading(self, *_urls: str | None) -> Reading | None:
        return None if self.silent or self.dead else QUIET

    def start(self, *_: object) -> World:
        return self

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def poll(self) -> bool:
        return self.k6_ended

    @contextmanager
    def tab(self) -> Iterator[World]:
        yield self

    def open(self, _url: str) -> PageLoad:
        return PageLoad(30.0, 90.0, 90.0)

    def click(self, _action: Action) -> Click:
        self.on_click()
        return CLICK

    def becomes(self, name: str, value: object) -> Callable[[], None]:
        return lambda: setattr(self, name, value)

    def block(self, rate: float = 0.0) -> Block:
        bench: Any = Bench(self, self, self, (BLOCKING,), "mix", self, UNHEARD)  # type: ignore[arg-type]
        (found,) = measured([BlockPlan(SERVER.name, rate, 1, 0, (BLOCKING.name,), clicks=3)], bench)
        return replace(found, took_s=0.0)


@dataclass
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        self.now += 0.05
        return self.now


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world, clock = World(), Clock()
    for module in ("measure.blocks", "measure.lineup", "machine.waiting"):
        monkeypatch.setattr(f"wsgilab.{module}.time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr("wsgilab.measure.quiet.take_reading", world.reading)
    monkeypatch.setattr("wsgilab.measure.losses.scrape", lambda *_: False)
    return world


def test_a_block_in_which_all_goes_well_is_valid(world: World) -> None:
    found = world.block()
    assert (found.clicks, found.void, found.died, world.restarted) == ((CLICK,) * 3, None, None, 0)


def test_nobody_goes_on_clicking_on_a_server_that_is_dead(world: World) -> None:
    world.on_click = world.becomes("dead", "was killed by SIGKILL")
    found = world.block()
    assert (len(found.clicks), found.died) == (1, "the server was killed by SIGKILL in the block")
    assert world.restarted == 1


def test_a_proxy_that_ends_makes_the_block_void_and_comes_back(world: World) -> None:
    world.on_click = world.becomes("dead_proxy", "ended with exit code 1")
    found = world.block()
    assert found.died is None
    assert (
        found.void
        == f"nginx, which stands in front of it, ended with exit code 1 in the block; {SERVER.name} itself lived"
    )
    assert world.restarted == 1


def test_a_server_that_nobody_hears_of_any_more_has_died_where_no_engine_knows_it(world: World) -> None:
    world.on_click = world.becomes("silent", True)
    assert world.block().died == "the server was gone when the block ended"


def test_a_tab_that_crashes_makes_the_block_void_and_keeps_its_clicks(world: World) -> None:
    def crashes() -> None:
        if world.k6_ended:
            raise TabCrashed
        world.k6_ended = True

    world.on_click = crashes
    found = world.block()
    assert (len(found.clicks), found.void) == (1, "the browser's tab crashed")


def test_clicks_without_the_load_that_was_to_be_there_make_the_block_void(world: World) -> None:
    world.on_click = world.becomes("k6_ended", True)
    found = world.block(rate=100.0)
    assert (len(found.clicks), found.void) == (1, K6_ENDED)


def test_what_others_had_of_the_browsers_cpus_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    uses = iter([blocks.cpu_time.CpuUse(1, 0.0, 5.0, 2.0), blocks.cpu_time.CpuUse(1, 10.0, 13.0, 4.0)])
    monkeypatch.setattr(blocks.cpu_time, "use_of", lambda _cpus: next(uses))
    found = world.block()
    assert found.foreign_cpu_share == 0.6
    assert "60 %" in (found.void or "")
