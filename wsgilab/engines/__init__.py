"""Where servers run: as local processes, or in containers of the lab's own network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from wsgilab.machine import http
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.model.server import Server

HEALTH_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Endpoint:
    """Where one running server is reached."""

    url: str
    exporter_url: str
    proxy_exporter_url: str | None
    run_id: str = ""
    """What it says in X-Lab-Run; empty where it was started by somebody else (Compose)."""
    ahead_s: float = 0.0
    """How far the clock of its machine is ahead of this one's."""
    door: str = ""
    """`ADDRESS:PORT` of its machine where somebody takes connections, whatever the servers do; empty for nobody."""


class Engine(Protocol):
    """Starts servers, says where they are, and stops them again: a context manager."""

    name: str
    restarts: bool
    """Whether `restart` gives a fresh server; otherwise it waits for one."""
    one_at_a_time: bool
    """Whether starting one ends the one before."""
    servers: Sequence[Server]

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def running(self) -> Sequence[Server]:
        """Those of them that run now: all, but where one runs at a time."""

    def start(self) -> None:
        """Start every server and wait until each is healthy. Raises ServerError, MissingError, Interrupted."""

    def endpoint(self, server: Server) -> Endpoint:
        """Where a started server is reached."""

    def death(self, server: Server, /) -> str | None:
        """How the server died, or None while it lives (or where this engine cannot tell)."""

    def lives(self, server: Server) -> bool:
        """Whether a server is there although its exporter is silent, by the best that this engine knows."""

    def proxy_death(self, server: Server) -> str | None:
        """How the proxy in front of a server ended; None while it lives, where there is none or nobody can tell."""

    def restart(self, server: Server) -> None:
        """Give the next window a fresh server, or wait for the one that its supervisor starts. Raises ServerError."""

    def reset(self, server: Server) -> None:
        """Have the app find what its first window found, by its own command. Raises ServerError where that fails."""

    def lost_service(self) -> str | None:
        """Which of the app's services has ended, and how; None while all run, or where this engine cannot tell."""

    def services_cpu_s(self) -> Mapping[str, float]:
        """The CPU seconds that the app's services have used so far, by name, where this engine can tell."""

    def fixed_answer(self) -> AbstractContextManager[Endpoint]:
        """Where nginx answers by itself, for the generator to learn its own floor. Entering raises MissingError."""

    def log(self, server: Server, /) -> str:
        """The last lines that a server wrote; empty where nobody can tell."""

    def facts(self) -> Mapping[str, object]:
        """What explains numbers and only the engine knows: versions, limits."""


class HealthCheck:
    """Asks one server for its health until it is there, and remembers the last answer for the error message."""

    def __init__(self, server: Server, url: str, timeout_s: float, run_id: str = "") -> None:
        self.server = server
        self.url = url
        self.run_id = run_id
        self.timeout_s = timeout_s
        self.last = "no answer yet"
        self.healthy = False

    def passes(self) -> bool:
        """Healthy means: this very server answers, of this run where `run_id` names one, with a status below 500."""
        path = self.server.environment.get("LAB_HEALTH_PATH", "/health")
        try:
            answer = http.ask(self.url + path, timeout_s=HEALTH_TIMEOUT_S)
        except http.NoAnswer as error:
            self.last = f"{self.url}{path}: {error}"
            return False
        name, run = (answer.headers.get(f"X-Lab-{which}", "") for which in ("Server", "Run"))
        ours = not self.run_id or run == self.run_id
        who = f"'{name}'{'' if ours else ' of another run'}" if name else "something that is not the lab"
        self.last = f"{self.url}{path}: HTTP {answer.status}, answered by {who}"
        self.healthy = answer.status < 500 and name == self.server.name and ours
        return self.healthy

    def wait(self, stop: Stop, unless: Callable[[], bool] = lambda: False) -> bool:
        """Whether the server became healthy in time; gives up early when `unless` holds. Raises Interrupted."""
        poll_until(lambda: self.passes() or unless(), stop, self.timeout_s)
        return self.healthy
