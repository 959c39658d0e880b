"""Servers that already run next to the runner, in containers of the same Compose network."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from urllib.parse import urlsplit

from wsgilab.engines import Endpoint, HealthCheck
from wsgilab.engines.errands import Host
from wsgilab.errors import MissingError, ServerError
from wsgilab.lab.servers import Lab
from wsgilab.machine import http
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.model.listener import Listener
from wsgilab.model.server import Server

LIFE_SIGN_TIMEOUT_S = 5.0
RESET_BY_THE_HOST = "./lab run --engine compose"
OWN_NGINX = "http://nginx:8080"
"""Where nginx answers by itself."""


class AttachedEngine:
    """Reaches containers by their service names. It starts and stops nothing: Compose does, or the host, if asked."""

    name = "compose"
    one_at_a_time = False

    def __init__(
        self,
        lab: Lab,
        servers: Sequence[Server],
        stop: Stop,
        start_timeout_s: float,
        listener: Listener,
        host: Host | None = None,
    ) -> None:
        self.lab = lab
        self.servers = servers
        self._stop = stop
        self._start_timeout_s = start_timeout_s
        self._listener = listener
        self._host = host
        self.restarts = host is not None

    def __enter__(self) -> AttachedEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    @property
    def running(self) -> Sequence[Server]:
        """All of them."""
        return self.servers

    def start(self) -> None:
        """Wait until every server is healthy.

        Raises ServerError for one whose container runs and does not get there, MissingError for one that has none.
        """
        for server in self.running:
            check = ContainerCheck(server, server.url, self._start_timeout_s)
            if check.passes():
                continue
            self._listener.message(f"Waiting for {server.name}, {check.timeout_s:g} s at most.")
            if not check.wait(self._stop):
                raise self.never_healthy(server, check) if check.has_container else self.not_there(server)

    def endpoint(self, server: Server) -> Endpoint:
        """Where the container is reached."""
        proxy = f"http://{urlsplit(server.url).hostname}-exporter:9100/metrics" if server.via else None
        return Endpoint(server.url, server.exporter_url, proxy)

    def death(self, server: Server) -> str | None:  # noqa: ARG002 - others can tell
        """Always None: a container's end shows in its exporter, which ends with it."""
        return None

    def lives(self, server: Server) -> bool:
        """Whether its exporter says so, or it answers: the silent exporter may be its proxy's, or have died alone."""
        check = HealthCheck(server, server.url, self._start_timeout_s)
        return poll_until(lambda: says_up(server.exporter_url) or check.passes(), self._stop, LIFE_SIGN_TIMEOUT_S)

    def proxy_death(self, _server: Server) -> str | None:
        """Always None: nginx's end shows in its exporter, which ends with it."""
        return None

    def restart(self, server: Server) -> None:
        """Have the host start the container anew, or wait for the one that Compose starts again.

        Raises ServerError where it does not come back.
        """
        if self._host:
            self._host.restart(server.name)
        check = HealthCheck(server, server.url, self._start_timeout_s)
        if not check.wait(self._stop):
            raise self.not_back(server, check)

    def reset(self, server: Server) -> None:
        """Have the host reset the app, for it alone can run something in the server's container."""
        if self._host is None:
            raise ServerError("Nobody can reset the app.", "the runner was not started by ./lab", RESET_BY_THE_HOST)
        done = self._host.reset(server.name)
        if not done.ok:
            what = done.text or f"The app of {server.name} was not reset: the host gave no answer."
            raise ServerError(what, "the command in lab.toml (`reset`), or what that needs", RESET_BY_THE_HOST)

    def lost_service(self) -> str | None:
        """Which of the app's services the host found ended."""
        return self._host.lost_service() if self._host else None

    def services_cpu_s(self) -> Mapping[str, float]:
        """Nothing: containers besides the lab's own have no exporter."""
        return {}

    @contextlib.contextmanager
    def fixed_answer(self) -> Iterator[Endpoint]:
        """nginx itself, by the port that is never published."""
        if not answers(f"{OWN_NGINX}/health"):
            raise self.no_nginx()
        yield Endpoint(OWN_NGINX, "", None)

    def log(self, server: Server) -> str:
        """The last lines that the server wrote, where the host can be asked."""
        return self._host.log(server.name) if self._host else ""

    def facts(self) -> Mapping[str, object]:
        """Images and limits, as Compose was told."""
        variables = self.lab.variables
        # Grafana only shows what was measured.
        images = {name: variables[name] for name in variables if name.endswith("_IMAGE") and name != "GRAFANA_IMAGE"}
        limits = {
            name: variables.get(name, "") for name in ("SERVER_CPUS", "SERVER_MEMORY", "LOAD_CPUS", "LOAD_MEMORY")
        }
        return {"images": images, "limits": limits}

    def never_healthy(self, server: Server, check: HealthCheck) -> ServerError:
        """The error for a server whose container runs, and does not get healthy."""
        return ServerError(
            f"{server.name} did not start: not healthy after {check.timeout_s:g} s. Last answer: {check.last}",
            "the app or a setting of this server; its log has the reason",
            f"docker compose logs --tail 20 {server.name}",
        )

    def not_there(self, server: Server) -> MissingError:
        """The error for a server that has no container."""
        profile = "" if server.default else "--profile more "
        return MissingError(
            f"{server.name} has no running container.",
            "it was not started, or was stopped",
            f"docker compose {profile}up --detach --wait {server.name}",
        )

    def not_back(self, server: Server, check: HealthCheck) -> ServerError:
        """The error for a server that nobody started again, or that does not get healthy any more."""
        return ServerError(
            f"{server.name} did not come back after {check.timeout_s:g} s. Last answer: {check.last}",
            "its container was stopped, or dies again at every start",
            f"docker compose up --detach --wait {server.name}; docker compose logs {server.name}",
        )

    def no_nginx(self) -> MissingError:
        """The error where nobody gives the fixed answer."""
        return MissingError("nginx was not found.", "its container does not run", "docker compose up --detach nginx")


def answers(url: str) -> bool:
    """Whether a URL is answered, with a status of success."""
    try:
        return http.ask(url).ok
    except http.NoAnswer:
        return False


def says_up(exporter_url: str) -> bool:
    """Whether an exporter answers, and says that its server lives."""
    try:
        return "\nserver_up 1.0\n" in http.ask(exporter_url).text
    except http.NoAnswer:
        return False


class ContainerCheck(HealthCheck):
    """Also learns whether the server has a container at all: a server that ends at each start has one now and then."""

    has_container = False

    def passes(self) -> bool:
        """As HealthCheck."""
        with contextlib.suppress(OSError):
            self.has_container = self.has_container or bool(socket.gethostbyname(self.server.name))
        return super().passes()
