"""A machine without servers, k6 or a clock that runs by itself, for tests of windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from factories import load_result, samples
from support import ROOT

from wsgilab.engines import Endpoint
from wsgilab.errors import LabError, MissingError, ServerError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.measure.driving import Bench
from wsgilab.measure.k6 import K6Generator
from wsgilab.measure.k6_command import K6
from wsgilab.measure.readings import Reading
from wsgilab.measure.windows import measure
from wsgilab.model.server import Server
from wsgilab.model.window import LoadResult, Window, WindowPlan

SERVERS = load_lab(ROOT, {}).select(["gunicorn", "uwsgi"])
QUIET = Reading(**asdict(samples(0.0, 0.0, 1)[0]))
K6_TAKES_S = 9.0
TRIES_S = 30.0
"""How long a server is waited for that does not come back."""


class World(Stop):
    """The clock, the engine, the exporter and k6 of one test; time passes where somebody waits."""

    name, restarts, one_at_a_time = "local", True, False
    servers = running = SERVERS

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.did: list[str] = []
        self.exporter: Callable[[], Reading | None] = lambda: replace(QUIET, requests=800.0 * (self.now > 1000.0))
        self.result: LoadResult | LabError = load_result([24.0] * 600)
        self.dead: str | None = None
        self.dead_proxy: str | None = None
        self.lives_on = True
        self.comes_back = True
        self.written = ""
        self.lost: str | None = None
        self.keeps_a_state = False
        self.resets = True
        self.refuses_reset: str | None = None

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.check()

    def endpoint(self, _server: Server) -> Endpoint:
        return Endpoint("http://server", "http://exporter", None)

    def death(self, _server: Server) -> str | None:
        return self.dead

    def proxy_death(self, server: Server) -> str | None:
        return self.dead_proxy if server.via else None

    def lives(self, _server: Server) -> bool:
        return self.lives_on

    def log(self, _server: Server) -> str:
        return self.written

    def restart(self, server: Server) -> None:
        self.did.append(f"restart {server.name}")
        if server.via and self.dead_proxy and not self.comes_back:
            raise MissingError("nginx did not start: exit code 1\n  | a log", "its own reason", "./lab doctor")
        self.dead_proxy = None
        if not self.comes_back:
            self.now += TRIES_S
            raise ServerError(f"{server.name} did not start: exit code 1\n  | a log", "its app", "fix it")

    def reset(self, server: Server) -> None:
        if self.keeps_a_state:
            self.did.append(f"reset {server.name}")
        if self.refuses_reset:
            raise ServerError(self.refuses_reset, "its command", "fix it")

    def lost_service(self) -> str | None:
        return self.lost

    def read(self, *_urls: str | None) -> Reading | None:
        reading = self.exporter()
        return reading and replace(reading, at=self.now)

    def bench(self, hopeless: dict[float, str] | None = None, **k6: Any) -> Bench:
        generator = K6Generator(K6("k6", **k6))
        return Bench(  # type: ignore[arg-type]
            self,
            generator,
            self,
            hopeless=(hopeless or {}).get,
            start_turns=lambda plans, _ends: FakeK6(self, len(plans)),
            resets=self.resets,
        )

    def run(self, *plans: WindowPlan) -> list[Window]:
        windows: list[Window] = []
        measure(plans, self.bench(), windows.append, lambda each: self.did.append(f"window of {each.server}"))
        return windows


@dataclass
class FakeK6:
    """Ends after K6_TAKES_S, then gives the world's result."""

    world: World
    servers: int = 1
    began: float = field(init=False)

    def __enter__(self) -> FakeK6:
        self.began = self.world.now
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def poll(self) -> bool:
        return self.world.now >= self.began + K6_TAKES_S

    def result(self) -> LoadResult:
        if isinstance(self.world.result, LabError):
            raise self.world.result
        return self.world.result

    def results(self) -> list[LoadResult]:
        return [self.result()] * self.servers
