"""The servers of a run: which have served since they were started, and which do not start again."""

from __future__ import annotations

import time

from wsgilab.engines import Engine
from wsgilab.errors import MissingError, ServerError
from wsgilab.machine.waiting import Stop
from wsgilab.measure import losses, quiet
from wsgilab.measure.losses import Loss
from wsgilab.measure.readings import Reading
from wsgilab.model.server import Server


class Lineup:
    """Servers that an engine has just started."""

    def __init__(self, engine: Engine, stop: Stop) -> None:
        self._engine = engine
        self._stop = stop
        self._fresh = {server.name for server in engine.running}
        self._untouched = set(self._fresh)
        self._gone: dict[str, Loss] = {}
        self._not_reset: dict[str, Loss] = {}
        self._rested: dict[str, Reading | None] = {}

    def loss(self, server: Server) -> Loss | None:
        """Why its next window cannot be measured; None where it can."""
        return self._gone.get(server.name) or losses.of_services(self._engine) or self._not_reset.get(server.name)

    def served(self, server: Server, after: Reading | None) -> None:
        """A window of it is over, with this last reading."""
        self._fresh.discard(server.name)
        self._untouched.discard(server.name)
        self._rested[server.name] = after

    def rested(self, server: Server) -> Reading | None:
        """The last reading of its window before."""
        return self._rested.get(server.name)

    def reset(self, server: Server) -> None:
        """Have its app find what its first window found."""
        self._not_reset.pop(server.name, None)
        if server.name in self._untouched or server.name in self._gone:
            return
        try:
            self._engine.reset(server)
        except ServerError as error:
            self._not_reset[server.name] = Loss(void=error.what)

    def freshen(self, server: Server) -> float:
        """Start it anew if it has served since its start and the engine can. Gives the seconds that this took."""
        if server.name in self._fresh or server.name in self._gone or not self._engine.restarts:
            return 0.0
        began = time.monotonic()
        self.start_anew(server)
        return time.monotonic() - began

    def start_anew(self, server: Server) -> None:
        """A fresh server in place of the old one, done with starting; or the one that its supervisor starts."""
        if self._engine.one_at_a_time:
            self._fresh.clear()  # it takes the place of the one that runs, whichever that is
        try:
            self._engine.restart(server)
        except ServerError as error:
            self._gone[server.name] = Loss(died=f"did not start again: {error.what.splitlines()[0]}")
        except MissingError as error:
            reason = error.what.splitlines()[0]
            self._gone[server.name] = Loss(void=f"it could not be measured any more: {reason}")
        else:
            self._fresh.add(server.name)
            quiet.settle([server], self._engine, self._stop)
