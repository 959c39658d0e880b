"""Containers on another machine of which one runs at a time: a tuning has more settings than a machine has room for."""

from __future__ import annotations

from collections.abc import Sequence

from wsgilab.engines.attached import says_up
from wsgilab.engines.host_servers import HostServers
from wsgilab.engines.one_container import CurrentContainer, comes_up
from wsgilab.errors import ServerError
from wsgilab.model.server import Server


class OneThere(HostServers):
    """As HostServers; `start` starts the first server alone, and `restart` starts one in place of the one before."""

    one_at_a_time = True
    _running: Server | None = None

    def __enter__(self) -> OneThere:
        super().__enter__()
        self._current = CurrentContainer(self._docker, self.servers[0].name)
        return self

    @property
    def running(self) -> Sequence[Server]:
        """The one that runs, or was started last."""
        return [self._running or self.servers[0]]

    def death(self, server: Server) -> str | None:
        """How its container ended; asked for where the exporter in it is silent, and the link is not cut."""
        if server not in self.running:
            return "was not started"
        silent = not says_up(self.endpoint(server).exporter_url) and not self._relay.silent
        return self._ended(server) if silent else None

    def restart(self, server: Server) -> None:
        """End the one that runs, and start this one. Raises ServerError, and MissingError where the link stays cut."""
        self._require_link()
        self._running = server
        started = self._current.start(server.name)
        if not started.ok:
            what = f"Docker did not start a container of {server.name} on {self._host.name}: {started.text}."
            raise ServerError(what, "its engine, or no room for another container there", self._together.doctor)
        self._look_at_ports()
        check = self._health(server)
        if not comes_up(check, self._stack.stop, lambda: self._ended(server), self._stack.again):
            raise self._not_healthy(check)

    def _ended(self, server: Server) -> str | None:
        return self._current.ended(server.name).text or None
