"""Docker Compose from the host: brings the stack up, and lets the runner inside its network do the measuring."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from wsgilab.engines import override, start_timeout_s
from wsgilab.engines.diagnosis import why_not_up
from wsgilab.errors import MissingError
from wsgilab.lab.servers import Lab
from wsgilab.machine.waiting import Stop
from wsgilab.model.server import Server

ANSWER_TIMEOUT_S = 15.0
UP_TIMEOUT_S = 120
RECORDING = ["nginx", "nginx-exporter", "prometheus"]
"""Services that a run needs beside its servers. Grafana only shows; `docker compose up` starts it."""
IMAGES = ["image", "runner", "nginx", "prometheus"]
"""Services whose images are all that a run needs: `image` builds the one that every server runs from, and ends."""


def why_not() -> str | None:
    """Why Docker Compose cannot be used on this machine, in one sentence; None where it can."""
    if not shutil.which("docker"):
        return "there is no docker command"
    engine = _ask(["docker", "version", "--format", "{{.Server.Version}}"])
    if engine.returncode != 0:
        return f"no Docker engine answers ({_last_line(engine.stderr)})"
    compose = _ask(["docker", "compose", "version", "--short"])
    if compose.returncode != 0:
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
    if described.returncode != 0:
        return f"`docker compose config` failed ({_last_line(described.stderr)})"
    wanted = json.loads(described.stdout)["services"]
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
    running = set(_ask([*compose(), "ps", "--services", "--status", "running"], lab.root, environment).stdout.split())
    try:
        patience_s = max(UP_TIMEOUT_S, math.ceil(start_timeout_s()))
        up = [*compose(services), "up", "--detach", "--wait", "--wait-timeout", str(patience_s), *services]
        code = _forward(up, lab.root, environment, stop)
        stop.check()
        if code != 0:
            command = compose(services)
            raise why_not_up(
                lab, services, servers, lambda *words: _ask([*command, *words], lab.root, environment).stdout
            )
        name = f"wsgilab-run-{os.getpid()}"
        runner = [*compose(), "run", "--rm", "--no-deps", "--name", name, "runner", *arguments]
        # A signal for the docker client alone would end the client and leave the container measuring.
        return _forward(runner, lab.root, environment, stop, ["docker", "kill", "--signal", "INT", name])
    finally:
        started_here = [name for name in services if name not in running]
        if started_here:
            _ask([*compose(services), "rm", "--stop", "--force", *started_here], lab.root, environment, timeout_s=90)
        if not running:
            _ask([*compose(), "down"], lab.root, environment, timeout_s=90)


def compose(services: Sequence[str] = ()) -> list[str]:
    """The command's beginning; with services, every profile that they may need."""
    return ["docker", "compose", "--profile", "more"] if services else ["docker", "compose"]


def compose_environment() -> dict[str, str]:
    """This process's environment, with results belonging to whoever runs the lab."""
    user = {"LAB_UID": str(os.getuid()), "LAB_GID": str(os.getgid())}
    return user | dict(os.environ)


def _get(lab: Lab, verb: str, names: Sequence[str], stop: Stop) -> str | None:
    print(f"docker compose {verb} {' '.join(sorted(names))} …", flush=True)
    code = _forward([*compose(), verb, *sorted(names)], lab.root, compose_environment(), stop)
    stop.check()
    return f"`docker compose {verb}` failed, its images cannot be had" if code else None


def _has_image(image: str) -> bool:
    return _ask(["docker", "image", "inspect", image]).returncode == 0


def _forward(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stop: Stop,
    interrupt: Sequence[str] | None = None,
) -> int:
    """Run a command with this terminal, and give its exit code.

    When a signal arrives for us, `interrupt` is run (or the command gets the signal itself), and the command ends in
    its own way.
    """
    # No terminal for standard input and a session of its own: Ctrl-C comes to us alone, and is handed on once.
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True
    )
    asked = False
    while True:
        try:
            return process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            if stop.requested and not asked:
                asked = True
                if interrupt is None or _ask(interrupt, folder, environment).returncode != 0:
                    os.killpg(process.pid, signal.SIGINT)


def _ask(
    command: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = ANSWER_TIMEOUT_S,
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no answer within {timeout_s:g} s")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
