"""Containers of which one runs at a time: on the host, which starts them, and in the runner, which measures them.

A tuning has more settings than a machine has room for, so each is a service of its own whose container runs while its
windows are measured, and no longer. One that dies is not started again: it is a result.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wsgilab.engines import HealthCheck
from wsgilab.engines.attached import AttachedEngine, says_up
from wsgilab.engines.stack import EVERYTHING, Docker
from wsgilab.errors import ServerError
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.errands import Done
from wsgilab.model.server import Server

STOP_S = 1
"""How long a setting has to end by itself: nothing of it is needed any more."""
START_TIMEOUT_S = 30.0
"""For Docker to make and start a container; that the server in it gets healthy is another matter."""
ASK_EVERY_S = 1.0
"""How often the host is asked whether a container that starts has ended: each time takes it a moment."""
AGAIN = "./lab tune --engine local --server gunicorn"


class CurrentContainer:
    """On the host: the container that runs, and the one that takes its place."""

    def __init__(self, docker: Docker, first: str) -> None:
        self._docker = docker
        self._running = first

    def start(self, server: str) -> Done:
        """End the container that runs, and start this one."""
        if self._running != server:
            self._ask("stop", "--timeout", str(STOP_S), self._running)
            self._running = server
            started = self._ask("up", "--detach", "--no-deps", server)
        else:
            started = self._ask("restart", "--timeout", str(STOP_S), server)
        return Done(started.ok, "" if started.ok else started.last_line)

    def ended(self, server: str) -> Done:
        """How a server's container ended, or what ran out in it; no text while all is well, or Docker does not say."""
        container = self._docker.ask(*EVERYTHING, "ps", "--all", "--quiet", server).out.strip()
        shown = self._docker.ask("inspect", "--format", "{{json .State}}", container) if container else None
        try:
            state = json.loads(shown.out) if shown and shown.ok else {}
            return Done(ok=bool(state), text=_how(state))
        except (ValueError, AttributeError):
            return Done(ok=False)

    def _ask(self, *words: str) -> Outcome:
        return self._docker.ask(*EVERYTHING, *words, timeout_s=START_TIMEOUT_S)


class OneContainer(AttachedEngine):
    """In the runner: as AttachedEngine; `restart` has the host start a server in place of the one before."""

    one_at_a_time = True
    _running: Server | None = None

    @property
    def running(self) -> Sequence[Server]:
        """The one that runs, or was started last."""
        return [self._running or self.servers[0]]

    def restart(self, server: Server) -> None:
        """Have the host end the one that runs, and start this one. Raises ServerError."""
        self._running = server
        if self._host is None or not self._host.restart(server.name):
            raise ServerError(
                f"Docker did not start a container of {server.name}.",
                "Docker does not answer any more, or has no room for one",
                AGAIN,
            )
        check = HealthCheck(server, server.url, self._start_timeout_s)
        if not comes_up(check, self._stop, lambda: self._ended(server), AGAIN):
            raise self.not_back(server, check)

    def death(self, server: Server) -> str | None:
        """How its container ended, which the host knows; asked for where the exporter in it is silent."""
        if server not in self.running:
            return "was not started"
        return None if says_up(server.exporter_url) else self._ended(server)

    def _ended(self, server: Server) -> str | None:
        return self._host.ended(server.name) or None if self._host else None


def comes_up(check: HealthCheck, stop: Stop, ended: Callable[[], str | None], again: str) -> bool:
    """Whether a server gets healthy in time. Raises ServerError where its container ends instead, Interrupted.

    `ended`: how it ended; None while it runs.
    """
    if check.wait(stop, unless=now_and_then(lambda: ended() is not None)):
        return True
    if how := ended():
        raise ServerError(f"{check.server.name} {how}", "its app, or too little memory for this setting", again)
    return False


def now_and_then(condition: Callable[[], bool]) -> Callable[[], bool]:
    """The condition, looked at no more often than it is worth."""
    last = time.monotonic()

    def look() -> bool:
        nonlocal last
        if time.monotonic() - last < ASK_EVERY_S:
            return False
        last = time.monotonic()
        return condition()

    return look


def _how(state: Mapping[str, Any]) -> str:
    """In words, as a sentence about the server goes on; empty where all is well."""
    if state.get("Running"):
        return "ran out of memory: the kernel killed a process in its container" if state.get("OOMKilled") else ""
    if state.get("OOMKilled"):
        return "was killed by the kernel (out of memory)"
    return f"ended with exit code {state['ExitCode']}" if "ExitCode" in state else ""
