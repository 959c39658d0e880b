"""Docker Compose from the host: brings the stack up, and lets the runner inside its network do the measuring."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from wsgilab.engines import override, start_timeout_s
from wsgilab.engines.diagnosis import why_not_up
from wsgilab.errors import MissingError
from wsgilab.lab.servers import Lab
from wsgilab.machine import processes
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.server import Server

ANSWER_TIMEOUT_S = 15.0
UP_TIMEOUT_S = 120
DOWN_TIMEOUT_S = 90.0
RECORDING = ["nginx", "nginx-exporter", "prometheus"]
"""Services that a run needs beside its servers. Grafana only shows; `docker compose up` starts it."""
IMAGES = ["image", "prometheus-setup", "nginx", "prometheus"]
"""Services whose images are all that a run needs. `image` builds the servers', `prometheus-setup` the runner's."""


def why_not() -> str | None:
    """Why Docker Compose cannot be used on this machine, in one sentence; None where it can."""
    if not shutil.which("docker"):
        return "there is no docker command"
    engine = _ask(["docker", "version", "--format", "{{.Server.Version}}"])
    if not engine.ok:
        return f"no Docker engine answers ({engine.last_line})"
    compose = _ask(["docker", "compose", "version", "--short"])
    if not compose.ok:
        return "the docker command has no Compose plugin"
    return None


def require() -> None:
    """Raise MissingError where Docker Compose cannot be used."""
    reason = why_not()
    if reason:
        raise MissingError(
            f"--engine compose was asked for, but {reason}.",
            "Docker is not installed, not started, or not allowed for this user",
            "start Docker and try again, or measure without it: ./lab run --engine local",
        )


def prepare_images(lab: Lab, stop: Stop) -> str | None:
    """Pull or build what is missing. Why that is impossible, in one sentence; None where the images are there."""
    described = _ask([*compose(), "config", "--format", "json"], lab.root, compose_environment())
    if not described.ok:
        return f"`docker compose config` failed ({described.last_line})"
    wanted = json.loads(described.out)["services"]
    missing = [name for name in IMAGES if not _has_image(wanted[name]["image"])]
    for verb, names in (
        ("pull", [name for name in missing if "build" not in wanted[name]]),
        ("build", [name for name in missing if "build" in wanted[name]]),
    ):
        if names and (reason := _get(lab, verb, names, stop)):
            return reason
    return None


def run_inside(lab: Lab, servers: Sequence[Server], arguments: Sequence[str], out: Path | None, stop: Stop) -> int:
    """Bring the servers up, run `wsgilab ARGUMENTS` in the runner's container, and give back its exit code.

    Services that ran before keep running; what was started here is stopped again. Raises MissingError, and ServerError
    for a server that does not start.
    """
    environment = compose_environment()
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        environment["LAB_RESULTS_DIR"] = str(out.parent.resolve())
        arguments = [*arguments, "--out", f"/results/{out.name}"]
    services = [*RECORDING, *override.extra_services(servers), *(server.name for server in servers)]
    with override.laid_over(lab, servers, environment) as environment:
        return _measure_inside(lab, servers, services, arguments, environment, stop)


def _measure_inside(
    lab: Lab,
    servers: Sequence[Server],
    services: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stop: Stop,
) -> int:
    running = set(_ask([*compose(), "ps", "--services", "--status", "running"], lab.root, environment).out.split())
    try:
        patience_s = max(UP_TIMEOUT_S, math.ceil(start_timeout_s()))
        up = [*compose(services), "up", "--detach", "--wait", "--wait-timeout", str(patience_s), *services]
        code = processes.forward(up, lab.root, environment, stop)
        stop.check()
        if code != 0:
            command = compose(services)
            raise why_not_up(lab, services, servers, lambda *words: _ask([*command, *words], lab.root, environment).out)
        name = f"wsgilab-run-{os.getpid()}"
        runner = [*compose(), "run", "--rm", "--no-deps", "--name", name, "runner", *arguments]
        # A signal for the docker client alone would end the client and leave the container measuring.
        return processes.forward(runner, lab.root, environment, stop, ["docker", "kill", "--signal", "INT", name])
    finally:
        started_here = [name for name in services if name not in running]
        if started_here:
            rm = [*compose(services), "rm", "--stop", "--force", *started_here]
            processes.ask(rm, lab.root, environment, DOWN_TIMEOUT_S)
        if not running:
            processes.ask([*compose(), "down"], lab.root, environment, DOWN_TIMEOUT_S)


def compose(services: Sequence[str] = ()) -> list[str]:
    """The command's beginning; with services, every profile that they may need."""
    return ["docker", "compose", "--profile", "more"] if services else ["docker", "compose"]


def compose_environment() -> dict[str, str]:
    """This process's environment, with results belonging to whoever runs the lab."""
    user = {"LAB_UID": str(os.getuid()), "LAB_GID": str(os.getgid())}
    return user | dict(os.environ)


def _get(lab: Lab, verb: str, names: Sequence[str], stop: Stop) -> str | None:
    print(f"docker compose {verb} {' '.join(sorted(names))} …", flush=True)
    code = processes.forward([*compose(), verb, *sorted(names)], lab.root, compose_environment(), stop)
    stop.check()
    return f"`docker compose {verb}` failed, its images cannot be had" if code else None


def _has_image(image: str) -> bool:
    return _ask(["docker", "image", "inspect", image]).ok


def _ask(command: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Outcome:
    return processes.ask(command, folder, environment, ANSWER_TIMEOUT_S)
