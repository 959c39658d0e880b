"""Why `docker compose up` failed, looked up while its containers are still there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wsgilab.engines.start_failure import did_not_start
from wsgilab.errors import LabError, MissingError
from wsgilab.lab.servers import Lab, published_ports
from wsgilab.lab.variants import again
from wsgilab.machine.ports import require_free
from wsgilab.model.server import Server

Ask = Callable[..., str]
"""What `docker compose ARGUMENTS…` prints."""


def why_not_up(
    lab: Lab, services: Sequence[str], servers: Sequence[Server], compose: Ask, last_lines: Iterable[str] = ()
) -> LabError:
    """The error that says what the user can fix: a server that does not start, a port in use, or where to look.

    `last_lines`: what Compose wrote before it gave up.
    """
    states = container_states(compose("ps", "--all", "--format", "json"))
    if trouble := server_trouble(servers, states, compose, f"./lab run --engine compose{lab.app_options}"):
        return trouble
    try:
        for service in services:
            if states.get(service, {}).get("State") != "running":
                require_free({port: (service, variable) for port, variable in published_ports(lab, service)})
    except MissingError as error:
        return error
    return MissingError(
        "\n".join(["Docker Compose could not bring the servers up.", *(f"  | {line}" for line in last_lines)]),
        "an image could not be pulled or built, or a container did not become healthy",
        "docker compose ps --all; docker compose logs",
    )


def server_trouble(
    servers: Sequence[Server], states: Mapping[str, Mapping[str, Any]], compose: Ask, run: str
) -> LabError | None:
    """The error for the first server that did not start; None where all did. `run`: the command that measures so."""
    # One that ended before one that may only be slow.
    for trouble in (_ended, _not_healthy):
        for server in servers:
            if reason := trouble(states.get(server.name, {})):
                log = compose("logs", "--no-color", "--no-log-prefix", server.name)
                return did_not_start(server, reason, log, f"{run} {again(server)} --quick")
    return None


def container_states(listing: str) -> dict[str, Mapping[str, Any]]:
    """What `docker compose ps --format json` says of each service: one object a line, or a list before Compose 2.21."""
    text = listing.strip()
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return {row["Service"]: row for row in rows}


def _ended(container: Mapping[str, Any]) -> str | None:
    if container.get("State") in ("restarting", "exited", "dead"):
        return f"its container ended with exit code {container.get('ExitCode')}"
    return None


def _not_healthy(container: Mapping[str, Any]) -> str | None:
    if container.get("State") == "running" and container.get("Health") != "healthy":
        return "its container runs and does not get healthy"
    return None
