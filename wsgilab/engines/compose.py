"""Docker Compose from the host: brings the stack up, and lets the runner inside its network do the measuring."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wsgilab.engines import containers, errands, override, upkeep
from wsgilab.engines.containers import Addition
from wsgilab.engines.diagnosis import why_not_up
from wsgilab.engines.one_container import CurrentContainer
from wsgilab.engines.override import OF_A_RUN
from wsgilab.engines.stack import ANSWER_TIMEOUT_S, COMPOSE, EVERYTHING, Docker, Stack
from wsgilab.errors import LabError, MissingError, UsageError
from wsgilab.machine import cpus, processes
from wsgilab.model.errands import Done, Errand, What
from wsgilab.model.events import Ended, Hearer
from wsgilab.model.request import Request, Revision

UP_TIMEOUT_S = 120
DOWN_TIMEOUT_S = 90.0
ERRAND_TIMEOUT_S = 30.0
IMAGES = ["image", "prometheus-setup", "nginx", "prometheus"]
"""Services whose images are all that a run needs. `image` builds the servers', `prometheus-setup` the runner's."""
APP_INSIDE = "/srv/app"
"""Where the runner's container has the folder of the app."""
INSIDE = "/results"
"""Where the runner's container has the folder of results."""
KILLED = 137
MOST_BYTES = 120_000


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


def prepare_images(stack: Stack, services: Sequence[str] = IMAGES) -> str | None:
    """Pull or build what is missing. Why that is impossible, in one sentence; None where the images are there.

    `services`: those whose images are needed.
    """
    docker = Docker(stack, stack.environment())
    described = docker.ask(*_with_runner(stack), "config", "--format", "json")
    if not described.ok:
        return f"`docker compose config` failed ({described.last_line})"
    wanted = json.loads(described.out)["services"]
    needed = services if stack.runner == "runner" else [*services, stack.runner]
    missing = [name for name in needed if not docker.ask("image", "inspect", wanted[name]["image"]).ok]
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
    stack, addition = containers.needed(stack)
    with override.laid_over(stack.lab, stack.servers, stack.environment(), addition.content) as environment:
        docker = Docker(stack, {**environment, "LAB_REQUEST": _as_text(_inside(stack.request))})
        _require_cpus(docker)
        upkeep.end_leftovers(docker)
        before = set(docker.ask(*COMPOSE, "ps", "--services", "--status", "running").out.split())
        try:
            upkeep.bring_up(docker, addition)
            upkeep.import_app(docker)
            _bring_up(docker)
            return _measure(docker, addition)
        finally:
            _put_back(docker, before, addition)


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
            lambda *words: docker.told(docker.ask(*EVERYTHING, *words).out),
            docker.last_lines,
        )


def _measure(docker: Docker, addition: Addition) -> Ended:
    stack = docker.stack
    current = CurrentContainer(docker, stack.servers[0].name) if stack.request.command == "tune" else None
    hearer = Hearer(stack.listener, lambda errand: errands.answer(_done(errand, docker, addition, current)))

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
    runner = [
        *COMPOSE,
        "run",
        "--rm",
        "--no-deps",
        "-T",
        "-e",
        "LAB_REQUEST",
        "--name",
        name,
        "--label",
        f"{OF_A_RUN}=1",
        stack.runner,
        "carry-out",
    ]
    docker.last_lines.clear()  # of the stack that came up
    # A signal for the docker client alone would end the client and leave the container measuring.
    code = docker.hear(runner, hear, ["kill", "--signal", "INT", name])
    if hearer.ended is None:
        stack.stop.check()
        raise _no_last_word(code, docker)
    return replace(hearer.ended, folder=_on_this_machine(stack, hearer.ended.folder))


def _done(errand: Errand, docker: Docker, addition: Addition, current: CurrentContainer | None) -> Done:
    """Do an errand of the runner's, if it is for a server of this run."""
    if errand.what is What.SERVICES:
        return Done(ok=True, text=upkeep.lost_service(docker, addition) or "")
    servers = [server.name for server in docker.stack.servers]
    if current and errand.server in servers and errand.what in (What.RESTART, What.ENDED):
        return current.start(errand.server) if errand.what is What.RESTART else current.ended(errand.server)
    if errand.what is What.RESET and errand.server in servers:
        trouble = upkeep.reset(docker, errand.server)
        return Done(ok=trouble is None, text=trouble.what if trouble else "")
    done = errands.do(errand, servers, lambda words: docker.ask(*EVERYTHING, *words, timeout_s=ERRAND_TIMEOUT_S))
    return replace(done, text=docker.told(done.text))


def _put_back(docker: Docker, before: set[str], addition: Addition) -> None:
    stack = docker.stack
    may_run = dict.fromkeys([*stack.services, *(server.name for server in stack.servers)])
    started_here = [name for name in may_run if name not in before]
    if started_here:
        docker.ask(*EVERYTHING, "rm", "--stop", "--force", *started_here, timeout_s=DOWN_TIMEOUT_S)
    _put_apps_back(docker, before)
    upkeep.put_away(docker, addition)  # what a container still uses is not removed
    if not before - set(addition.services):
        docker.ask(*COMPOSE, "down", timeout_s=DOWN_TIMEOUT_S)


def _put_apps_back(docker: Docker, before: set[str]) -> None:
    """Have the servers that go on serve what they had been started with, where that is another app."""
    kept = [server.name for server in docker.stack.servers if server.name in before]
    request = docker.stack.request
    if kept and (request.app or request.app_dir or any(server.app for server in docker.stack.servers)):
        usual = replace(docker, environment=docker.stack.environment(own_app=False))
        usual.ask(*EVERYTHING, "up", "--detach", "--wait", "--no-deps", *kept, timeout_s=UP_TIMEOUT_S)


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
        needs=request.needs.nameless(),
        before=request.before and Revision(request.before.name, "", request.before.app),
        traffic=_in_the_container(request, request.traffic),
        script=_in_the_container(request, request.script),
        vitals=_in_the_container(request, request.vitals),
        settings={name: value for name, value in request.settings.items() if name != "LAB_APP_DIR"},
        out=f"{INSIDE}/{Path(request.out).name}" if request.out else None,
        resume=f"{INSIDE}/{Path(request.resume).name}" if request.resume else None,
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


def _with_runner(stack: Stack) -> Sequence[str]:
    """The words of a command that knows the service whose container measures: a browser has a profile of its own."""
    return COMPOSE if stack.runner == "runner" else (*COMPOSE, "--profile", stack.runner)


def _get(docker: Docker, verb: str, names: Sequence[str]) -> str | None:
    docker.stack.listener.message(f"docker compose {verb} {' '.join(names)} …")
    if docker.get_images(*_with_runner(docker.stack), verb, *names) == 0:
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
