"""The same servers as local processes: the commands of compose.yaml, with addresses and folders of this machine."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from wsgilab.engines import Endpoint, HealthCheck, did_not_start
from wsgilab.lab.servers import Lab
from wsgilab.lab.variants import inside_port, nginx_blocks
from wsgilab.machine import processes
from wsgilab.machine.ports import free_port, require_free
from wsgilab.machine.tools import Nginx, find_nginx
from wsgilab.machine.waiting import Stop
from wsgilab.model.server import Server

SERVER_VARIABLES = re.compile(
    r"^(GUNICORN_|UWSGI_|FLASK_|GRANIAN_|PYTHON|LAB_|WEB_CONCURRENCY$|PROMETHEUS_MULTIPROC_DIR$)"
)
"""What a server would take as settings of its own: never inherited, only what compose.yaml says is passed."""


@dataclass
class Started:
    """A process group that the engine started, and where its output goes."""

    process: processes.Process
    log: Path


class LocalEngine:
    """Servers as process groups of this machine, pinned to SERVER_CPUS where the system can."""

    name = "local"
    restarts = True

    def __init__(self, lab: Lab, servers: Sequence[Server], stop: Stop, app_dir: Path | None = None) -> None:
        self.lab = lab
        self.servers = servers
        self._stop = stop
        self._app_dir = app_dir
        self._started: dict[str, Started] = {}
        self._exporter_ports = {server.name: free_port() for server in servers}
        self._nginx: Nginx | None = None
        self._nginx_ports = {"status": free_port(), "exporter": free_port()}
        self._folder = Path()

    def __enter__(self) -> LocalEngine:
        # Metrics files and heartbeats belong in memory: a disk that blocks would be measured.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._folder = Path(tempfile.mkdtemp(prefix="wsgilab-", dir=memory))
        (self._folder / "sockets").mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(list(self._started))
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start nginx where it is needed, then every server, and wait for each. Raises ServerError, MissingError."""
        require_free({server.port: (server.name, server.port_variable) for server in self.servers})
        if any(server.via for server in self.servers):
            self._start_nginx()
        for server in self.servers:
            self._launch(server)
        for server in self.servers:
            self._wait_healthy(server)

    def endpoint(self, server: Server) -> Endpoint:
        """Where a started server is reached."""
        proxy = f"http://127.0.0.1:{self._nginx_ports['exporter']}/metrics" if server.via else None
        exporter = f"http://127.0.0.1:{self._exporter_ports[server.name]}/metrics"
        return Endpoint(f"http://127.0.0.1:{server.port}", exporter, proxy)

    def death(self, server: Server) -> str | None:
        """How the server's first process ended, or None while it runs."""
        return processes.how_it_ended(self._started[server.name].process)

    def restart(self, server: Server) -> None:
        """A fresh process in place of the old one. Raises ServerError."""
        self._end([server.name])
        self._launch(server)
        self._wait_healthy(server)

    def facts(self) -> Mapping[str, object]:
        """nginx's version, and the limits: none but the CPUs."""
        versions = {}
        if self._nginx:
            said = processes.ask([self._nginx.binary, "-v"]).err
            versions["nginx"] = said.strip().rpartition("/")[2]
        return {"versions": versions, "limits": {"memory": "none", "cpus": sorted(self._server_cpus())}}

    # ── one server ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _launch(self, server: Server) -> None:
        self._stop.check()
        run_dir = self._folder / server.name
        shutil.rmtree(run_dir, ignore_errors=True)
        run_dir.mkdir()
        command = [self._localized(token, server) for token in server.command]
        environment = {name: self._localized(value, server) for name, value in server.environment.items()}
        environment["LAB_EXPORTER_PORT"] = str(self._exporter_ports[server.name])
        services = self.lab.root / "services"
        self._spawn(server.name, [str(services / "serve/entrypoint.sh"), *command], environment, services / "serve")

    def _localized(self, text: str, server: Server) -> str:
        """A word of compose.yaml's command or environment, as it must be outside a container."""
        if self._app_dir and text == "/srv/app":
            return str(self._app_dir)
        text = text.replace("/srv/", f"{self.lab.root}/services/")
        text = text.replace("/run/lab", str(self._folder / server.name))
        text = text.replace("/run/sockets", str(self._folder / "sockets"))
        text = re.sub(r"\b8000\b", str(server.port), text)
        return text.replace("0.0.0.0", "127.0.0.1")

    def _wait_healthy(self, server: Server) -> None:
        check = HealthCheck(server, self.endpoint(server).url)
        if check.wait(self._stop, unless=lambda: self.death(server) is not None):
            return
        reason = self.death(server) or f"not healthy after {check.timeout_s:g} s. Last answer: {check.last}"
        log = self._started[server.name].log.read_text(errors="replace")
        again = f"./lab run --engine local --servers {server.name} --quick, once it is mended"
        raise did_not_start(server.name, reason, log, again)

    # ── nginx ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_nginx(self) -> None:
        self._nginx = find_nginx()
        folder = self._folder / "nginx"
        folder.mkdir()
        config = folder / "nginx.conf"
        config.write_text(self._nginx_config(self._nginx, folder))
        # As root, nginx's workers would become `nobody`, who may not open the servers' sockets.
        globals_ = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        command = [str(self._nginx.binary), "-c", str(config), "-p", str(folder), "-e", "stderr", "-g", globals_]
        self._spawn("nginx", command, {}, folder)
        exporter = [sys.executable, str(self.lab.root / "services/serve/exporter.py")]
        exporter += ["--pid", str(self._started["nginx"].process.pid)]
        exporter += ["--stub-status", f"http://127.0.0.1:{self._nginx_ports['status']}/nginx_status"]
        environment = {
            "LAB_EXPORTER_HOST": "127.0.0.1",
            "LAB_EXPORTER_PORT": str(self._nginx_ports["exporter"]),
            "LAB_RUN_DIR": str(folder),
        }
        self._spawn("nginx-exporter", exporter, environment, folder)

    def _nginx_config(self, nginx: Nginx, folder: Path) -> str:
        text = (self.lab.root / "services/nginx/nginx.conf").read_text(encoding="utf-8")
        # First of all: the folders put in below may lie in /tmp themselves.
        text = re.sub(r"(?<= )/tmp/", f"{folder}/", text)
        text = nginx_blocks(text, self.lab.servers)
        for server in self.lab.servers.values():
            if server.via:
                text = text.replace(f"0.0.0.0:{inside_port(server)};", f"127.0.0.1:{server.port};")
        text = text.replace("0.0.0.0:8080;", f"127.0.0.1:{self._nginx_ports['status']};")
        text = text.replace("/etc/nginx/", f"{nginx.etc}/")
        return text.replace("/run/sockets", str(self._folder / "sockets"))

    # ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _spawn(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        log = self._folder / f"{name}.log"
        inherited = {key: value for key, value in os.environ.items() if not SERVER_VARIABLES.match(key)}
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        process = processes.start(
            command, log, folder, inherited | {"PATH": path} | dict(environment), self._server_cpus()
        )
        self._started[name] = Started(process, log)

    def _end(self, names: Sequence[str]) -> None:
        processes.end([self._started.pop(name).process for name in names])

    def _server_cpus(self) -> frozenset[int]:
        return self.lab.cpus("SERVER_CPUS")
