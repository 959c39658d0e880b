"""Local servers of which one runs at a time: a tuning has more settings than a machine has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wsgilab.engines.local import LocalEngine
from wsgilab.lab.servers import Lab
from wsgilab.model.server import Server


class OneByOne(LocalEngine):
    """As LocalEngine; `start` starts the first server alone, and `restart` starts one in place of the one before."""

    one_at_a_time = True

    def __init__(self, lab: Lab, servers: Sequence[Server], *others: Any) -> None:
        super().__init__(lab, _at_one_port(servers), *others)
        self._exporter_ports = dict.fromkeys(self._exporter_ports, self._exporter_ports[servers[0].name])
        self._running = self.servers[0]
        self._copied = {self._running.name}

    @property
    def running(self) -> Sequence[Server]:
        """The one that runs, or was started last."""
        return [self._running]

    def death(self, server: Server) -> str | None:
        """As LocalEngine; one that another took the place of is gone."""
        return super().death(server) if server == self._running else "was not started"

    def restart(self, server: Server) -> None:
        """End the one that runs, and start this one. Raises ServerError, MissingError."""
        before, self._running = self._running, server
        if before != server:
            self._background.end([before.name], mark={"LAB_SERVER": before.name})
        if server.name not in self._copied:
            self._copies.make(server, self._environment(server))
            self._copied.add(server.name)
        super().restart(server)

    def reset(self, server: Server) -> None:
        """As LocalEngine; a server that never ran has nothing to reset."""
        if server.name in self._copied:
            super().reset(server)


def _at_one_port(servers: Sequence[Server]) -> list[Server]:
    """Hundreds of ports would wait for their turn, and be taken meanwhile. nginx holds those of servers behind it."""
    return [server if server.via else replace(server, port=servers[0].port) for server in servers]
