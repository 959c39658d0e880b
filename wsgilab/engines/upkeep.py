"""Starts what an app needs in containers, sets its copies up and resets them, imports it, and clears all away."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from wsgilab.engines import start_failure
from wsgilab.engines.background import Finished
from wsgilab.engines.containers import COPY, Addition, Container, lost
from wsgilab.engines.copies import RESET_TIMEOUT_S, SETUP_TIMEOUT_S, not_copied, not_reset, not_set_up
from wsgilab.engines.diagnosis import container_states
from wsgilab.engines.override import OF_A_RUN
from wsgilab.engines.stack import EVERYTHING, Docker
from wsgilab.engines.start_failure import last_lines
from wsgilab.errors import LabError, MissingError, ServerError
from wsgilab.lab.variants import again
from wsgilab.model.server import app_of

SHELL = "/bin/sh"
COPY_IT = f"exec python3 -S /srv/serve/copy_app.py /srv/app {COPY}"
TASK = "LAB_TASK"
"""The variable that carries a command of the app's into its container: no shell on the way takes it apart."""
NOT_DONE = 124
"""How timeout(1) ends where the command did not."""
REMOVE_TIMEOUT_S = 60.0


def end_leftovers(docker: Docker) -> None:
    """End and remove the containers that a run which was killed has left in this project, and say so."""
    mine = _of_a_run(docker)
    listed = docker.ask("ps", "--all", "--format", "{{.Names}}", *mine).out.split() if mine else []
    if listed:
        docker.ask("rm", "--force", "--volumes", *listed, timeout_s=REMOVE_TIMEOUT_S)
        left = ", ".join(listed)
        docker.stack.listener.message(
            f"A run that was killed had left these containers behind, which are ended and removed: {left}"
        )


def bring_up(docker: Docker, addition: Addition) -> None:
    """Start the app's services and wait for them; make and set up the copies of its folder.

    Raises MissingError for a service that does not get healthy, ServerError for a setup that fails, Interrupted.
    """
    needs = docker.stack.request.needs
    if addition.containers:
        _start(docker, addition.containers)
    if needs.state is None:
        return
    clear_away(docker)
    for server in docker.stack.servers:
        copied = _in_container(docker, server.name, COPY_IT)
        if copied.problem:
            raise not_copied(server.name, copied)
        if needs.state.setup:
            done = _in_container(docker, server.name, _limited(SETUP_TIMEOUT_S), needs.state.setup)
            if done.problem:
                raise not_set_up(server.name, needs.state.setup, done, docker.stack.lab.app_dir)


def import_app(docker: Docker) -> None:
    """Import each app of the run once, before any server starts. Raises ServerError where no server could serve it."""
    stack = docker.stack
    patience_s = stack.request.start_timeout_s
    line = f"exec timeout --kill-after=5 {patience_s:g} python3 -c '{start_failure.IMPORT}'"
    for server in {app_of(server.environment, server.app): server for server in reversed(stack.servers)}.values():
        done = _in_container(docker, server.name, line)
        if start_failure.fails_everywhere(done):
            anew = f"{stack.again} {again(server)} --quick"
            raise start_failure.not_loaded(server, done, anew)


def reset(docker: Docker, server: str) -> ServerError | None:
    """Have the app of a server that runs find what its first window found. What went wrong; None where it was well."""
    state = docker.stack.request.needs.state
    if state is None or not state.reset:
        return None
    words = ["exec", "-T", "-e", TASK, server, SHELL, "-c", _limited(RESET_TIMEOUT_S)]
    answer = _with_task(docker, state.reset).ask(*EVERYTHING, *words, timeout_s=RESET_TIMEOUT_S + 15)
    done = _finished(answer.code, docker.told(f"{answer.out}\n{answer.err}"), RESET_TIMEOUT_S)
    return not_reset(server, state.reset, done, docker.stack.lab.app_dir) if done.problem else None


def lost_service(docker: Docker, addition: Addition) -> str | None:
    """Which of the app's services has ended, and how."""
    if not addition.containers:
        return None
    listing = docker.ask(*EVERYTHING, "ps", "--all", "--format", "json")
    return lost(addition.containers, container_states(listing.out)) if listing.ok else None


def put_away(docker: Docker, addition: Addition) -> None:
    """Stop the app's services and remove them, with the volumes that they had."""
    if addition.services:
        remove = ("rm", "--stop", "--force", "--volumes", *addition.services)
        docker.ask(*EVERYTHING, *remove, timeout_s=REMOVE_TIMEOUT_S)
    clear_away(docker)


def clear_away(docker: Docker) -> None:
    """Remove the volumes of copies that this project has, those of a run that was killed among them."""
    mine = _of_a_run(docker)
    volumes = docker.ask("volume", "ls", "--quiet", *mine).out.split() if mine else []
    if volumes:
        docker.ask("volume", "rm", "--force", *volumes, timeout_s=REMOVE_TIMEOUT_S)


def _of_a_run(docker: Docker) -> list[str]:
    """What filters containers or volumes: those that this project has for one run; nothing where it has no name."""
    project = docker.ask(*EVERYTHING, "config", "--format", "json").json().get("name")
    labels = (OF_A_RUN, f"com.docker.compose.project={project}")
    return [word for label in labels for word in ("--filter", f"label={label}")] if project else []


def _start(docker: Docker, containers: Sequence[Container]) -> None:
    patience_s = math.ceil(max(container.service.health.timeout_s for container in containers))
    names = [container.name for container in containers]
    named = ", ".join(container.service.name for container in containers)
    docker.stack.listener.message(f"Starting the app's services: {named} …")
    # Anew, where a run that was killed has left one: what it holds is that run's.
    up = ["up", "--detach", "--wait", "--wait-timeout", str(patience_s), "--force-recreate", "--renew-anon-volumes"]
    if docker.follow(*EVERYTHING, *up, *names) != 0:
        raise _not_started(docker, containers)


def _not_started(docker: Docker, containers: Sequence[Container]) -> LabError:
    states = container_states(docker.ask(*EVERYTHING, "ps", "--all", "--format", "json").out)
    for container in containers:
        state = states.get(container.name, {})
        if how := _trouble(state):
            log = docker.ask(*EVERYTHING, "logs", "--no-color", "--no-log-prefix", container.name)
            lines = last_lines(docker.told(f"{log.out}{log.err}")) if state else list(docker.last_lines)
            what = [f"The service {container.service.name} did not start: {how}", *(f"  | {line}" for line in lines)]
            cause = "its Compose file, its image or its health check"
            shown = "; the lines above are the last of it" if lines else ""
            return MissingError("\n".join(what), cause + shown, container.service.edit)
    said = "\n".join(["The app's services could not be started.", *(f"  | {line}" for line in docker.last_lines)])
    return MissingError(said, "something that they depend on in their Compose file", "docker compose ps --all")


def _trouble(state: Mapping[str, Any]) -> str | None:
    """What is wrong with a container; None where it is healthy, or runs and nobody asks for more."""
    if not state or state.get("State") == "created":
        return "it has no container that runs"
    if state.get("State") != "running":
        return f"its container ended with exit code {state.get('ExitCode')}"
    return None if state.get("Health") in ("healthy", "", None) else "its container runs and does not get healthy"


def _limited(timeout_s: float) -> str:
    """A line for a shell that carries out the app's command in its copy, for so long at most."""
    return f'cd {COPY} && exec env -u PYTHONPATH timeout --kill-after=5 {timeout_s:g} sh -c "${TASK}"'


def _in_container(docker: Docker, server: str, line: str, task: str = "") -> Finished:
    """Carry out a line in a container of a server's that does nothing else."""
    name = f"wsgilab-setup-{os.getpid()}"
    words = ["run", "--rm", "--no-deps", "-T", "--name", name, "--label", f"{OF_A_RUN}=1", "-e", TASK]
    words += ["--entrypoint", SHELL, server, "-c", line]
    said: list[str] = []

    def hear(text: str, _is_error: bool) -> None:
        said.append(text)

    code = _with_task(docker, task).hear([*EVERYTHING, *words], hear, ["rm", "--force", name])
    docker.stack.stop.check()
    return _finished(code, docker.told("\n".join(said)), SETUP_TIMEOUT_S)


def _with_task(docker: Docker, task: str) -> Docker:
    return replace(docker, environment={**docker.environment, TASK: task, "COMPOSE_PROGRESS": "quiet"})


def _finished(code: int, output: str, timeout_s: float) -> Finished:
    if code == NOT_DONE:
        return Finished(f"not done after {timeout_s:g} s", output, late=True)
    return Finished(f"ended with exit code {code}" if code else None, output)
