"""What an app talks to, as local processes: started before the servers and ended after them, on CPUs of their own."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from wsgilab.engines.background import Background, programs_of
from wsgilab.engines.start_failure import last_lines
from wsgilab.errors import MissingError, UsageError
from wsgilab.lab.servers import Lab
from wsgilab.machine import cpus, http, processes
from wsgilab.machine.cpu_time import used_s
from wsgilab.machine.environment import inherited
from wsgilab.machine.ports import free_port, is_free, why_taken
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.model.listener import UNHEARD, Listener
from wsgilab.model.needs import HOST, PORT, SCRATCH, Service, filled, for_shell
from wsgilab.model.server import Server, given_to

LOOPBACK = "127.0.0.1"
SHELL = ("/bin/sh", "-c")
ANSWER_TIMEOUT_S = 5.0
"""How long one question for its health may take."""
COMMAND_NOT_FOUND = "ended with exit code 127"
"""As the shell says it."""
IN_THE_BACKGROUND = "ended with exit code 0"


@dataclass(frozen=True)
class Started:
    """A service that runs, and what fills its placeholders."""

    service: Service
    where: Mapping[str, str]

    @property
    def exported(self) -> dict[str, str]:
        """What the app is told."""
        return self.service.exported(self.where)


class LocalServices:
    """The services of an app, each a process group. Leaving the block ends them, and removes what they wrote."""

    def __init__(
        self, lab: Lab, services: Sequence[Service], server: Server, stop: Stop, listener: Listener = UNHEARD
    ) -> None:
        """`server`: one whose app it is: services find the programs and the variables that it finds."""
        self._lab = lab
        self._services = services
        self._server = server
        self._stop = stop
        self._listener = listener
        # Nobody is told of what it leaves behind: a service is free to be a daemon's parent, and ends with the run.
        self._background = Background(lab.service_cpus, inherited(), given=given_to([server]))
        self._started: list[Started] = []

    def __enter__(self) -> LocalServices:
        if self._services:
            self._background.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._services:
            self._background.__exit__(kind, error, trace)

    def start(self) -> None:
        """Start one after the other, each when the one before is there.

        Raises UsageError for one that has no command, MissingError for one that does not get healthy, Interrupted.
        """
        if self._services:
            _require_cpus(self._lab)
        for service in self._services:
            self._listener.message(f"Starting the service {service.name} …")
            self._launch(service)
            self._wait(self._started[-1])

    @property
    def variables(self) -> dict[str, str]:
        """What tells the app where those are that run."""
        return {name: value for started in self._started for name, value in started.exported.items()}

    def lost(self) -> str | None:
        """Which one has ended, and how, in words; None while all run."""
        for name in (started.service.name for started in self._started):
            if how := self._background.ended(name):
                return f"the service {name} {how}"
        return None

    def cpu_s(self) -> dict[str, float]:
        """The CPU seconds that each has used so far, where the system says that."""
        used = {started.service.name: used_s(self._background.pid(started.service.name)) for started in self._started}
        return {name: seconds for name, seconds in used.items() if seconds is not None}

    def _launch(self, service: Service) -> None:
        self._stop.check()
        if service.command is None:
            raise UsageError(
                f"The service {service.name} has no command, so it cannot be started as a local process.",
                "lab.toml describes it as a container only",
                "./lab run --engine compose",
            )
        port = service.port or free_port()
        if not is_free(port):
            raise _port_in_use(service, port)
        scratch = self._background.disk / "scratch" / service.name
        scratch.mkdir(parents=True)
        started = Started(service, {HOST: LOOPBACK, PORT: str(port), SCRATCH: str(scratch)})
        command = [*SHELL, for_shell(service.command, started.where)]
        programs = programs_of(self._server)
        self._background.start(service.name, command, self._environment(), self._folder, programs)
        self._started.append(started)

    def _environment(self) -> dict[str, str]:
        """What the app sees too: a worker of its queue is a service."""
        own = dict(self._server.app.variables) if self._server.app else {}
        return {**self.variables, **own, "PYTHONDONTWRITEBYTECODE": "1"}

    @property
    def _folder(self) -> Path:
        return Path(self._server.app.folder) if self._server.app else self._lab.app_dir

    def _wait(self, started: Started) -> None:
        service, name = started.service, started.service.name
        last = ["nobody was asked yet"]

        def there() -> bool:
            last[0] = self._answer(started)
            return not last[0]

        timeout_s = service.health.timeout_s
        healthy = poll_until(lambda: self._background.ended(name) is not None or there(), self._stop, timeout_s)
        how = self._background.ended(name)
        if healthy and how is None:
            return
        reason = how or f"not healthy after {timeout_s:g} s. Last answer: {last[0]}"
        raise _did_not_start(service, reason, self._background.output(name), self._background.disk)

    def _answer(self, started: Started) -> str:
        """What it said when it was asked for its health; nothing where that was well."""
        health, where = started.service.health, started.where
        if health.command:
            command = [*SHELL, for_shell(health.command, where)]
            environment = self._background.environment(self._environment(), programs_of(self._server))
            asked = processes.ask(command, self._folder, environment, ANSWER_TIMEOUT_S)
            return "" if asked.ok else self._background.told(asked.last_line)
        if health.http:
            return _http_answer(filled(health.http, where))
        return _tcp_answer(int(where[PORT]))


def _http_answer(url: str) -> str:
    try:
        status = http.ask(url, timeout_s=ANSWER_TIMEOUT_S).status
    except http.NoAnswer as error:
        return f"{url}: {error}"
    return "" if status < 500 else f"{url}: HTTP {status}"


def _tcp_answer(port: int) -> str:
    try:
        with closing(socket.create_connection((LOOPBACK, port), timeout=ANSWER_TIMEOUT_S)):
            return ""
    except OSError as error:
        return f"port {port}: {error.strerror or error}"


def _require_cpus(lab: Lab) -> None:
    usable = cpus.available()
    if usable and not lab.service_cpus <= usable:
        raise MissingError(
            f"SERVICE_CPUS={cpus.listed(lab.service_cpus)}, but only CPUs {cpus.listed(usable)} can be used here.",
            "it is meant for another machine; where it is empty, services use the CPUs of the load",
            f"SERVICE_CPUS={max(usable)} ./lab run",
        )


def _port_in_use(service: Service, port: int) -> MissingError:
    return MissingError(
        f"Port {port} on {LOOPBACK}, which the service {service.name} needs, is in use.",
        f"{why_taken(port)}; without `port` in lab.toml a free one is taken",
        service.edit,
    )


def _did_not_start(service: Service, reason: str, log: str, disk: Path) -> MissingError:
    lines = last_lines(log)
    what = "\n".join([f"The service {service.name} did not start: {reason}", *(f"  | {line}" for line in lines)])
    if "No space left" in log:
        return MissingError(what, f"the disk of {disk.parent} is full; TMPDIR can name another one", "df -h")
    return MissingError(what, _cause(reason, lines), service.edit)


def _cause(reason: str, lines: Sequence[str]) -> str:
    shown = "; the lines above are the end of its log" if lines else "; it wrote nothing"
    if reason == COMMAND_NOT_FOUND:
        return f"a program of its command is not installed, or not on PATH{shown}"
    if reason == IN_THE_BACKGROUND:
        return f"it went to the background, and has to stay in the foreground{shown}"
    if reason.startswith("ended"):
        return f"its command in lab.toml, or what that needs{shown}"
    return f"its `health` asks for something else, or it takes longer (`timeout_s` in there){shown}"
