"""Servers in containers of another machine's Docker engine: started and measured from here, gone with the run."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from urllib.parse import urlsplit

from wsgilab.engines import Endpoint, HealthCheck, containers, errands, far_engines, upkeep
from wsgilab.engines.attached import LIFE_SIGN_TIMEOUT_S
from wsgilab.engines.cpus_there import require_for_services
from wsgilab.engines.diagnosis import container_states, server_trouble
from wsgilab.engines.far_trouble import trouble
from wsgilab.engines.guard import Guard
from wsgilab.engines.host_project import OWN_NGINX
from wsgilab.engines.lease import join, leased
from wsgilab.engines.moving_in import Site, move_in
from wsgilab.engines.stack import EVERYTHING, Docker, Stack
from wsgilab.engines.start_failure import did_not_start
from wsgilab.errors import LabError, MissingError, to_paste
from wsgilab.lab.variants import again
from wsgilab.machine import places
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import poll_until
from wsgilab.model.errands import Errand, What
from wsgilab.model.hosts import Hosts
from wsgilab.model.server import Server

UP_TIMEOUT_S = 120
COMMAND_TIMEOUT_S = 60.0
BACK_TIMEOUT_S = 60.0
"""How long a link that was cut may take to be there again, before a server counts as lost with it."""


class HostServers:
    """The servers' host, as an Engine."""

    name = "compose"
    restarts = True
    one_at_a_time = False

    def __init__(self, stack: Stack, together: Hosts) -> None:
        self.servers: Sequence[Server] = stack.servers
        self._stack = stack
        self._together = together
        self._host = together.servers
        self._entered = ExitStack()
        self._published: Mapping[tuple[str, int], int] = {}
        self._images: Mapping[str, str] = {}
        self._door = ""
        self._is_cut = False

    def __enter__(self) -> HostServers:
        require_for_services(self._stack, self._together)
        self._stack, addition = containers.needed(self._stack)
        stack = self._stack
        self.servers = stack.servers
        usual = {name: value for name, value in stack.environment().items() if not name.startswith("COMPOSE_")}
        project = f"wsgilab-{secrets.token_hex(4)}"
        with ExitStack() as entered:
            file = entered.enter_context(places.make()).path / "project.json"
            ours = {"COMPOSE_PROJECT_NAME": project, "COMPOSE_FILE": str(file), "COMPOSE_PROGRESS": "plain"}
            self._docker = Docker(stack, {**usual, **ours})
            self._site = Site(self._host, self._docker, addition, secrets.token_hex(8))
            entered.enter_context(Guard(project, usual, self._say_what_is_left))
            self._relay = entered.enter_context(leased(self._site, self._together))
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)

    @property
    def running(self) -> Sequence[Server]:
        """All of them."""
        return self.servers

    def start(self) -> None:
        """Have everything there that servers need, start them, and wait for each.

        Raises ServerError, MissingError, and UsageError for a service of the app that needs this machine.
        """
        self._stack.listener.message(f"Starting containers on {self._host.name} …")
        self._images = move_in(self._site)
        upkeep.bring_up(self._docker, self._site.addition)
        upkeep.import_app(self._docker)
        idle = {server.name for server in self.servers} - {server.name for server in self.running}
        self._up(*(name for name in self._site.services if name not in idle))
        self._door = join(self._host, self._site.network)
        for server in self.running:
            self._wait_healthy(server)

    def endpoint(self, server: Server) -> Endpoint:
        """Where load reaches a started server, and where it is read from here."""
        at = urlsplit(server.url)
        proxy = self._relay.local(f"http://{at.hostname}-exporter:9100/metrics") if server.via else None
        return Endpoint(
            url=self._public(str(at.hostname), at.port or 0),
            exporter_url=self._relay.local(server.exporter_url),
            proxy_exporter_url=proxy,
            run_id=self._site.run_id,
            ahead_s=self._relay.ahead_s,
            door=self._door,
        )

    def death(self, server: Server) -> str | None:  # noqa: ARG002 - others can tell
        """Always None: a container's end shows in its exporter, which ends with it."""
        return None

    def lives(self, server: Server) -> bool:
        """Whether it answers. Where the link is cut nobody knows, and it is no server's failure."""
        check = HealthCheck(server, self._relay.local(server.url), self._stack.request.start_timeout_s)
        return poll_until(lambda: self._relay.silent or check.passes(), self._stack.stop, LIFE_SIGN_TIMEOUT_S)

    def proxy_death(self, _server: Server) -> str | None:
        """Always None: nginx's end shows in its exporter, which ends with it."""
        return None

    def restart(self, server: Server) -> None:
        """Fresh processes in place of the old ones. Raises ServerError, and MissingError where the link stays cut."""
        self._require_link()
        self._compose("restart", "--timeout", str(errands.STOP_S), server.name)
        self._look_at_ports()
        self._wait_healthy(server)

    def reset(self, server: Server) -> None:
        """Have the app find what its first window found. Raises ServerError."""
        if failed := upkeep.reset(self._docker, server.name):
            raise failed

    def lost_service(self) -> str | None:
        """Which of the app's services has ended, and how; or that nobody can know it, for the link was cut.

        A cut is told once, also where the link is back: the window in which it was is lost.
        """
        if not self._relay.silent:
            return upkeep.lost_service(self._docker, self._site.addition)
        told, self._is_cut = self._is_cut, not self._reconnected()
        return f"the link to {self._host.name} was cut" if self._is_cut or not told else None

    def services_cpu_s(self) -> Mapping[str, float]:
        """Nothing: containers besides the lab's own have no exporter."""
        return {}

    @contextmanager
    def fixed_answer(self) -> Iterator[Endpoint]:
        """nginx itself, by a port that is published for it."""
        yield Endpoint(self._public(*OWN_NGINX), "", None, door=self._door)

    def log(self, server: Server) -> str:
        """The last lines that the server wrote."""
        return errands.do(Errand(What.LOG, server.name), [server.name], lambda words: self._compose(*words)).text

    def facts(self) -> Mapping[str, object]:
        """The machine, the images by their IDs there, and the limits, as Compose was told."""
        variables = self._stack.lab.variables
        return {
            "host": self._relay.hello.machine,
            "images": dict(self._images),
            "limits": {name: variables.get(name, "") for name in ("SERVER_CPUS", "SERVER_MEMORY")},
        }

    def _up(self, *words: str) -> None:
        """Start services and wait until they are healthy. Raises ServerError, MissingError, Interrupted."""
        patience_s = max(UP_TIMEOUT_S, math.ceil(self._stack.request.start_timeout_s))
        self._docker.last_lines.clear()
        if self._docker.follow(*EVERYTHING, "up", "--detach", "--wait", "--wait-timeout", str(patience_s), *words) != 0:
            raise self._why_not_up()
        self._look_at_ports()

    def _why_not_up(self) -> LabError:
        states = container_states(self._compose("ps", "--all", "--format", "json").out)
        failed = server_trouble(self.running, states, lambda *words: self._compose(*words).out, self._stack.again)
        return failed or trouble(self._host, "its containers did not start", "; ".join(self._docker.last_lines))

    def _look_at_ports(self) -> None:
        """Learn which ports are published: those of variants have other numbers after each start."""
        rows = container_states(self._compose("ps", "--format", "json").out)
        self._published = {
            (service, port["TargetPort"]): port["PublishedPort"]
            for service, row in rows.items()
            for port in row.get("Publishers") or ()
        }

    def _public(self, service: str, port: int) -> str:
        """Where load reaches a port of a service."""
        if self._host.overlay:
            return f"http://{service}:{port}"
        return f"http://{self._host.address}:{self._published.get((service, port), 0)}"

    def _wait_healthy(self, server: Server) -> None:
        check = self._health(server)
        if not check.wait(self._stack.stop):
            raise self._not_healthy(check)

    def _health(self, server: Server) -> HealthCheck:
        patience_s, run_id = self._stack.request.start_timeout_s, self._site.run_id
        return HealthCheck(server, self._relay.local(server.url), patience_s, run_id)

    def _not_healthy(self, check: HealthCheck) -> LabError:
        reason = f"not healthy after {check.timeout_s:g} s. Last answer: {check.last}"
        anew = f"{self._stack.again} {again(check.server)} --quick"
        return did_not_start(check.server, reason, self.log(check.server), anew)

    def _require_link(self) -> None:
        """Wait for a link that was cut. Raises MissingError where it stays cut, Interrupted."""
        if self._relay.silent and not poll_until(self._reconnected, self._stack.stop, BACK_TIMEOUT_S, every_s=2.0):
            raise trouble(self._host, "the link to it was cut", f"no word for {BACK_TIMEOUT_S:.0f} s")

    def _reconnected(self) -> bool:
        """Have a relay again, where it had fallen silent. Whether there is one now."""
        try:
            self._relay.start()
            self._door = join(self._host, self._site.network)
        except LabError:
            return False
        return True

    def _compose(self, *words: str) -> Outcome:
        return self._docker.ask(*EVERYTHING, *words, timeout_s=COMMAND_TIMEOUT_S)

    def _say_what_is_left(self) -> None:
        project = self._site.project
        clear = to_paste(*far_engines.docker(self._host), "compose", "--project-name", project, "down", "--volumes")
        self._stack.listener.warning(
            MissingError(
                f"{self._host.name} still has the containers of this run.",
                "the link to it was cut; the next run there removes them too",
                clear,
            )
        )
