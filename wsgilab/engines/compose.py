"""Docker Compose from the host: brings the stack up, and lets the runner inside its network do the measuring."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wsgilab.engines import errands, override
from wsgilab.engines.diagnosis import why_not_up
from wsgilab.engines.errands import Host
from wsgilab.errors import LabError, MissingError, UsageError
from wsgilab.lab.servers import Lab, variables_of
from wsgilab.machine import cpus, processes
from wsgilab.machine.environment import inherited
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.errands import Errand
from wsgilab.model.events import Ended, Hearer
from wsgilab.model.listener import Listener
from wsgilab.model.request import Request, Revision
from wsgilab.model.server import Server

ANSWER_TIMEOUT_S = 15.0
UP_TIMEOUT_S = 120
DOWN_TIMEOUT_S = 90.0
ERRAND_TIMEOUT_S = 30.0
LAST_LINES = 5
RECORDING = ["nginx", "nginx-exporter", "prometheus"]
"""Services that a run needs besides its servers. Grafana only shows; `docker compose up` starts it."""
IMAGES = ["image", "prometheus-setup", "nginx", "prometheus"]
"""Services whose images are all that a run needs. `image` builds the servers', `prometheus-setup` the runner's."""
COMPOSE = ("compose",)
EVERYTHING = ("compose", "--profile", "more")
APP_INSIDE = "/srv/app"
"""Where the runner's container has the folder of the app."""
INSIDE = "/results"
"""Where the runner's container has the folder of results."""
KILLED = 137
MOST_BYTES = 120_000


@dataclass(frozen=True)
class Stack:
    """The lab's containers, for one request."""

    lab: Lab
    servers: Sequence[Server]
    request: Request
    stop: Stop
    listener: Listener
    host: Host | None = None
    """Who does errands for this process, where it is the runner in its container."""

    @property
    def services(self) -> list[str]:
        """What has to be up."""
        return [*RECORDING, *override.extra_services(self.servers), *(server.name for server in self.servers)]

    def environment(self) -> dict[str, str]:
        """What Compose fills compose.yaml in with: the request's variables and no others of this process."""
        known = variables_of(self.lab.root)
        user = {"LAB_UID": str(os.getuid()), "LAB_GID": str(os.getgid())}
        results = self.results()
        place = {"LAB_RESULTS_DIR": str(results)} if results else {}
        return {**inherited(known.__contains__), **user, **self.request.variables, **place}

    def results(self) -> Path | None:
        """The folder on this machine that the container writes to, where it is not the one of compose.yaml."""
        if self.request.out:
            return Path(self.request.out).parent.resolve()
        return Path(self.request.results).resolve() if self.request.results else None


@dataclass(frozen=True)
class Docker:
    """The docker command for one stack."""

    stack: Stack
    environment: Mapping[str, str]
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    """The last lines of the commands that were followed."""

    def ask(self, *words: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Outcome:
        """What a command answers."""
        return processes.ask(["docker", *words], self.stack.lab.root, self.environment, timeout_s)

    def follow(self, *words: str) -> int:
        """The exit code of a command whose lines are output. Raises Interrupted where the end was asked for."""
        code = self.hear(words, lambda line, _is_error: self.say(line))
        self.stack.stop.check()
        return code

    def hear(self, words: Sequence[str], hear: processes.Heard, interrupt: Sequence[str] = ()) -> int:
        """The exit code of a command. `interrupt` is the one that ends it early; such a command is answered, too."""

        def ask_to_end(process: processes.Process) -> None:
            if not interrupt or not self.ask(*interrupt).ok:
                processes.signal_group(process, signal.SIGINT)

        command, root = ["docker", *words], self.stack.lab.root
        talk = processes.Conversation(hear, ask_to_end, answers=bool(interrupt))
        return processes.listen(command, talk, self.stack.stop, root, self.environment)

    def do(self, errand: Errand) -> str:
        """Do an errand of the runner's. Gives the answer."""
        servers = [server.name for server in self.stack.servers]
        return errands.answer(
            errands.do(errand, servers, lambda words: self.ask(*EVERYTHING, *words, timeout_s=ERRAND_TIMEOUT_S))
        )

    def say(self, line: str) -> None:
        """Output, which an error message may need too."""
        if line:
            self.last_lines.append(line)
        self.stack.listener.output(line)


def why_not() -> str | None:
    """Why Docker Compose cannot be used on this machine, in one sentence; None where it can."""
    if not shutil.which("docker"):
        return "there is no docker command"
    engine = processes.ask(["docker", "version", "--format", "{{.Server.Version}}"], timeout_s=ANSWER_TIMEOUT_S)
    if not engine.ok:
        return f"no Docker engine answers ({engine.last_line})"
    if not processes.ask(["docker", "compose", "version", "--short"], timeout_s=ANSWER_TIMEOUT_S).ok:
        return "the docker command has no Compose plugin"
    return None


def require() -> None:
    """Raise MissingError where Docker Compose cannot be used."""
    reason = why_not()
    if reason:
        raise MissingError(
            f"--engine compose was asked for, but {reason}.",
            "Docker is not installed, not started, or not allowed for this user; the lab measures without it too",
            "./lab run --engine local",
        )


def prepare_images(stack: Stack) -> str | None:
    """Pull or build what is missing. Why that is impossible, in one sentence; None where the images are there."""
    docker = Docker(stack, stack.environment())
    described = docker.ask(*COMPOSE, "config", "--format", "json")
    if not described.ok:
        return f"`docker compose config` failed ({described.last_line})"
    wanted = json.loads(described.out)["services"]
    missing = [name for name in IMAGES if not docker.ask("image", "inspect", wanted[name]["image"]).ok]
    for verb, names in (
        ("pull", [name for name in missing if "build" not in wanted[name]]),
        ("build", [name for name in missing if "build" in wanted[name]]),
    ):
        if names and (reason := _get(docker, verb, sorted(names))):
            return reason
    return None


def run_inside(stack: Stack) -> Ended:
    """Bring the servers up, and let the runner's container carry out the request; the listener hears what it does.

    Services that ran before keep running; what was started here is stopped again. Gives how it ended, with the folder
    as this machine sees it. Raises MissingError, Interrupted, and ServerError for a server that does not start.
    """
    results = stack.results()
    if results:
        results.mkdir(parents=True, exist_ok=True)
    with override.laid_over(stack.lab, stack.servers, stack.environment()) as environment:
        docker = Docker(stack, {**environment, "LAB_REQUEST": _as_text(_inside(stack.request))})
        _require_cpus(docker)
        before = set(docker.ask(*COMPOSE, "ps", "--services", "--status", "running").out.split())
        try:
            _bring_up(docker)
            return _measure(docker)
        finally:
            _put_back(docker, before)


def _require_cpus(docker: Docker) -> None:
    """Raise MissingError, with the lines for .env, where the engine's machine, maybe a virtual one, has not so many."""
    there = docker.ask("info", "--format", "{{.NCPU}}").out.strip()
    if there.isdecimal():
        lab = docker.stack.lab
        cpus.require({name: lab.cpus(name) for name in ("SERVER_CPUS", "LOAD_CPUS")}, set(range(int(there))))


def _bring_up(docker: Docker) -> None:
    stack = docker.stack
    patience_s = max(UP_TIMEOUT_S, math.ceil(stack.request.start_timeout_s))
    up = ["up", "--detach", "--wait", "--wait-timeout", str(patience_s), *stack.services]
    if docker.follow(*EVERYTHING, *up) != 0:
        raise why_not_up(
            stack.lab,
            stack.services,
            stack.servers,
            lambda *words: docker.ask(*EVERYTHING, *words).out,
            docker.last_lines,
        )


def _measure(docker: Docker) -> Ended:
    stack = docker.stack
    hearer = Hearer(stack.listener, docker.do)

    def hear(line: str, is_error: bool) -> str | None:
        if is_error:
            docker.say(line)
            return None
        try:
            tell = hearer.understand(line)
        except (ValueError, KeyError, TypeError) as error:
            raise _another_version(f"it said '{line:.60}'") from error
        return tell()

    name = f"wsgilab-run-{os.getpid()}"
    # By its name alone: the value would be seen by everybody who lists processes.
    runner = [*COMPOSE, "run", "--rm", "--no-deps", "-T", "-e", "LAB_REQUEST", "--name", name, "runner", "carry-out"]
    docker.last_lines.clear()  # of the stack that came up
    # A signal for the docker client alone would end the client and leave the container measuring.
    code = docker.hear(runner, hear, ["kill", "--signal", "INT", name])
    if hearer.ended is None:
        stack.stop.check()
        raise _no_last_word(code, docker)
    return replace(hearer.ended, folder=_on_this_machine(stack, hearer.ended.folder))


def _put_back(docker: Docker, before: set[str]) -> None:
    started_here = [name for name in docker.stack.services if name not in before]
    if started_here:
        docker.ask(*EVERYTHING, "rm", "--stop", "--force", *started_here, timeout_s=DOWN_TIMEOUT_S)
    if not before:
        docker.ask(*COMPOSE, "down", timeout_s=DOWN_TIMEOUT_S)


def _inside(request: Request) -> Request:
    """The same request for the runner in its container, which has places of its own."""
    return replace(
        request,
        engine="attached",
        app_dir=None,
        requirements=(),
        requirement_files=(),
        python=None,
        app_variables={},
        before=request.before and Revision(request.before.name, "", request.before.app),
        traffic=_in_the_container(request, request.traffic),
        script=_in_the_container(request, request.script),
        settings={name: value for name, value in request.settings.items() if name != "LAB_APP_DIR"},
        out=f"{INSIDE}/{Path(request.out).name}" if request.out else None,
        results=None,
        spare_results=None,
        lock=None,
        prometheus=False,
        prometheus_url=None,
    )


def _as_text(request: Request) -> str:
    """The request as a variable of a container. Raises UsageError where the kernel would take none so long."""
    text = request.to_json()
    if len(text.encode()) > MOST_BYTES:
        raise UsageError(
            f"The request is longer than {MOST_BYTES:,} bytes.",
            "variants with very long settings, longer than Linux lets a variable be; several runs can share them out",
            "./lab run --engine local",
        )
    return text


def _in_the_container(request: Request, file: str | None) -> str | None:
    """A file of the app's folder as the runner's container has it. Raises UsageError for one from elsewhere."""
    if file is None:
        return None
    folder = Path(request.app_dir or ".").resolve()
    if request.app_dir and Path(file).resolve().is_relative_to(folder):
        return f"{APP_INSIDE}/{Path(file).resolve().relative_to(folder)}"
    raise UsageError(
        f"{file} is not in the folder of the app, and the runner in its container sees nothing else.",
        "a file from elsewhere, or --app-dir is missing; a copy next to the app would do",
        "./lab run --engine local",
    )


def _on_this_machine(stack: Stack, folder: str | None) -> str | None:
    """A folder of the container; one that is in no folder of this machine, but in a volume, is none."""
    if folder is None or not Path(folder).is_relative_to(INSIDE):
        return None
    default = stack.lab.root / (stack.lab.variables.get("LAB_RESULTS_DIR") or "results")
    return str((stack.results() or default) / Path(folder).relative_to(INSIDE))


def _get(docker: Docker, verb: str, names: Sequence[str]) -> str | None:
    docker.stack.listener.message(f"docker compose {verb} {' '.join(names)} …")
    if docker.follow(*COMPOSE, verb, *names) == 0:
        return None
    why = " ".join(docker.last_lines) or "no reason"
    return f"`docker compose {verb}` failed: its images could not be pulled or built ({why})"


def _no_last_word(code: int, docker: Docker) -> LabError:
    if code == KILLED:
        return LabError(
            "The runner's container was killed before it was done.",
            "killed by the kernel (out of memory: LOAD_MEMORY is too small for this rate), or with docker kill",
            "LOAD_MEMORY=4g ./lab run --engine compose",
        )
    said = " ".join(docker.last_lines)
    return _another_version(f"it ended with exit code {code}, and said '{said}'")


def _another_version(said: str) -> MissingError:
    return MissingError(
        f"The runner in its container does not understand this ./lab: {said}.",
        "its image was built from another version of the lab",
        "docker compose build",
    )
