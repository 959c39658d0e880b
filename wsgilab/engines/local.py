"""The same servers as local processes: the commands of compose.yaml, with addresses and folders of this machine."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from wsgilab.engines import Endpoint, HealthCheck, start_failure
from wsgilab.engines.background import MOST_OF_A_LOG, PROGRAMS, Background, programs_of
from wsgilab.engines.copies import Copies
from wsgilab.engines.nginx import LocalNginx
from wsgilab.engines.services import LocalServices
from wsgilab.engines.start_failure import did_not_start
from wsgilab.lab.servers import LOOPBACK, Lab
from wsgilab.lab.variants import again
from wsgilab.machine.environment import inherited
from wsgilab.machine.ports import free_ports, require_free
from wsgilab.machine.tools import find_nginx, nginx_at_hand
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import UNHEARD, Listener
from wsgilab.model.needs import NOTHING, Needs
from wsgilab.model.server import Server, app_of, given_to, import_path

LOG_BYTES = 16_384


class LocalEngine:
    """Servers as process groups of this machine, pinned to SERVER_CPUS where the system can."""

    name = "local"
    restarts = True
    one_at_a_time = False

    def __init__(
        self,
        lab: Lab,
        servers: Sequence[Server],
        stop: Stop,
        start_timeout_s: float,
        listener: Listener = UNHEARD,
        needs: Needs = NOTHING,
    ) -> None:
        self.lab = lab
        self.servers = servers
        self._stop = stop
        self._start_timeout_s = start_timeout_s
        self._listener = listener
        ports = free_ports(len(servers), {server.port for server in servers})
        self._exporter_ports = {server.name: port for server, port in zip(servers, ports, strict=True)}
        self._background = Background(lab.cpus("SERVER_CPUS"), inherited(), listener, given_to(servers))
        self._nginx: LocalNginx | None = None
        self._services = LocalServices(lab, needs.services, servers[0], stop, listener)
        self._copies = Copies(lab, needs.state, self._background, stop)
        self._entered = ExitStack()

    def __enter__(self) -> LocalEngine:
        with ExitStack() as entered:
            entered.enter_context(self._services)
            entered.enter_context(self._background)
            (self._background.folder / "sockets").mkdir()
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)
        if trouble := self._copies.trouble():
            self._listener.warning(trouble)

    @property
    def running(self) -> Sequence[Server]:
        """All of them, once they are started."""
        return self.servers

    def start(self) -> None:
        """Start the app's services, nginx where it is needed, then every server, and wait for each.

        Raises ServerError, MissingError, and UsageError for a service that no process can be.
        """
        require_free({server.port: (server.name, server.port_variable) for server in self.servers})
        self._services.start()
        for server in self.running:
            self._copies.make(server, self._environment(server))
        for server in {app_of(server.environment, server.app): server for server in reversed(self.running)}.values():
            self._import_app(server)
        if any(server.via for server in self.servers):
            found = find_nginx(self._listener.message)
            self._nginx = LocalNginx(self.lab, self._background, self._stop, found)
            self._nginx.start()
        for server in self.running:
            self._launch(server)
        for server in self.running:
            self._wait_healthy(server)

    def endpoint(self, server: Server) -> Endpoint:
        """Where a started server is reached."""
        proxy = self._nginx.exporter_url if server.via and self._nginx else None
        exporter = f"http://127.0.0.1:{self._exporter_ports[server.name]}/metrics"
        return Endpoint(f"http://{self.lab.address}:{server.port}", exporter, proxy, self._background.run_id)

    def death(self, server: Server) -> str | None:
        """How the server's first process ended, or None while it runs."""
        return self._background.ended(server.name)

    def lives(self, server: Server) -> bool:
        """Whether its first process runs: nobody knows better than who started it."""
        return self.death(server) is None

    def proxy_death(self, server: Server) -> str | None:
        """How nginx ended, where the server stands behind it; None while it runs."""
        return self._nginx.death() if server.via and self._nginx else None

    def restart(self, server: Server) -> None:
        """A fresh process in place of the old one, and a fresh nginx where that has ended. Raises ServerError.

        Raises MissingError where it is nginx that does not start.
        """
        self._background.end([server.name], mark={"LAB_SERVER": server.name})
        if self._nginx and self.proxy_death(server):
            self._nginx.restart()
        self._launch(server)
        self._wait_healthy(server)

    def reset(self, server: Server) -> None:
        """Have the app find what its first window found. Raises ServerError."""
        self._copies.reset(server, self._environment(server))

    def lost_service(self) -> str | None:
        """Which of the app's services has ended, and how; None while all run."""
        return self._services.lost()

    def services_cpu_s(self) -> Mapping[str, float]:
        """What the app's services have used so far."""
        return self._services.cpu_s()

    @contextmanager
    def fixed_answer(self) -> Iterator[Endpoint]:
        """nginx itself: the one that runs, or one for as long as the block lasts, where it is at hand."""
        nginx = self._nginx
        if nginx:
            yield Endpoint(nginx.own_url, "", None)
            return
        nginx = LocalNginx(self.lab, self._background, self._stop, nginx_at_hand())
        nginx.start()
        try:
            yield Endpoint(nginx.own_url, "", None)
        finally:
            nginx.stop()

    def log(self, server: Server) -> str:
        """The last lines that the server wrote."""
        return self._background.output(server.name, LOG_BYTES)

    def facts(self) -> Mapping[str, object]:
        """nginx's version, and the limits: none but the CPUs."""
        versions = {"nginx": self._nginx.version} if self._nginx else {}
        return {"versions": versions, "limits": {"memory": "none", "cpus": sorted(self.lab.cpus("SERVER_CPUS"))}}

    def _import_app(self, server: Server) -> None:
        """Import its app once, before any server starts. Raises ServerError where no server could serve it."""
        name, folder = f"{server.name}-import", self.lab.root / "services/serve"
        environment = {**self._environment(server), "LAB_RUN_DIR": str(self._background.folder / name)}
        command = [_python(programs_of(server)), "-c", start_failure.IMPORT]
        self._background.start(name, command, environment, folder, programs_of(server))
        done = self._background.finish(name, self._stop, self._start_timeout_s)
        if start_failure.fails_everywhere(done):
            withheld = self._background.withheld(done.output)
            raise start_failure.not_loaded(server, done, self._again(server), withheld)

    def _launch(self, server: Server) -> None:
        self._stop.check()
        run_dir = self._background.folder / server.name
        shutil.rmtree(run_dir, ignore_errors=True)
        run_dir.mkdir()
        program, *arguments = [self._localized(token, server) for token in server.command]
        environment = self._environment(server)
        services = self.lab.root / "services"
        programs = programs_of(server)
        command = [str(services / "serve/entrypoint.sh"), *_launcher(program, programs), *arguments]
        self._background.start(server.name, command, environment, services / "serve", programs)

    def _again(self, server: Server) -> str:
        return f"./lab run --engine local{self.lab.app_options} {again(server)} --quick"

    def _environment(self, server: Server) -> dict[str, str]:
        """What the server and its app find in their environment; what was asked for by --env wins."""
        shared = {name: self._localized(value, server) for name, value in server.environment.items()}
        shared["LAB_EXPORTER_HOST"] = LOOPBACK  # its reader is here, wherever the load comes from
        shared["LAB_EXPORTER_PORT"] = str(self._exporter_ports[server.name])
        # As in a container: nothing is written next to the code of an app.
        shared["PYTHONDONTWRITEBYTECODE"] = "1"
        told = {**self._services.variables, **(server.app.variables if server.app else {})}
        return {**shared, **told, **import_path(shared, told, str(self._copies.folder(server)))}

    def _localized(self, text: str, server: Server) -> str:
        """A word of compose.yaml's command or environment, as it must be outside a container."""
        if text == "/srv/app":
            return str(self._copies.folder(server))
        here = {
            "/srv/": f"{self.lab.root}/services/",
            "/run/lab": str(self._background.folder / server.name),
            "/run/sockets": str(self._background.folder / "sockets"),
            "8000": str(server.port),
            "0.0.0.0": self.lab.address,
        }
        # All at once: what is put in may hold any of them.
        return re.sub(r"/srv/|/run/lab|/run/sockets|\b8000\b|\b0\.0\.0\.0\b", lambda there: here[there[0]], text)

    def _wait_healthy(self, server: Server) -> None:
        at = self.endpoint(server)
        check = HealthCheck(server, at.url, self._start_timeout_s, at.run_id)
        if check.wait(self._stop, unless=lambda: self.death(server) is not None):
            return
        reason = self.death(server) or f"not healthy after {check.timeout_s:g} s. Last answer: {check.last}"
        log = self._background.output(server.name, MOST_OF_A_LOG)
        raise did_not_start(server, reason, log, self._again(server), self._background.withheld(log))


def _launcher(program: str, programs: Path) -> list[str]:
    """How a program of compose.yaml is started here. A script of an environment is handed to the Python next to it.

    Its first line would do the same, but by way of a shell, to which a `$` in the path of the clone means something.
    """
    script = programs / program
    try:
        with script.open("rb") as file:
            is_script = file.read(2) == b"#!"
    except OSError:
        return [program]
    return [_python(programs), str(script)] if is_script else [program]


def _python(programs: Path) -> str:
    return sys.executable if programs == PROGRAMS else str(programs / "python")
