"""What an app needs, in containers of the lab's own project: services of its Compose file, and copies of its folder.

A service is taken as its Compose file describes it, but for what would reach beyond the run: it publishes no port, its
named volumes are new and empty, and what is mounted from this machine can only be read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wsgilab.engines.override import OF_A_RUN, of_a_run
from wsgilab.engines.stack import Stack
from wsgilab.errors import UsageError, did_you_mean, to_paste
from wsgilab.lab.servers import Lab
from wsgilab.machine.cpus import listed
from wsgilab.machine.environment import inherited
from wsgilab.machine.processes import Outcome, ask
from wsgilab.model.needs import HOST, PORT, Service, for_shell
from wsgilab.model.server import App, Server

PREFIX = "app-"
"""Begins the names of the app's services in the lab's project: theirs and ours never meet."""
CONFIG_TIMEOUT_S = 30.0
OURS = ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES")
"""Variables that are meant for the lab's own project."""
LEFT_OUT = (
    *("container_name", "cpuset", "depends_on", "external_links", "links", "network_mode", "networks", "ports"),
    *("profiles", "restart", "scale", "volumes"),
)
"""What of a service would reach beyond the run, or is the lab's to say."""
SCRATCH, COPY = "/srv/scratch", "/srv/scratch/app"
"""Where a server's container has the volume for its copy of the app's folder, and the copy itself."""


@dataclass(frozen=True)
class Container:
    """A service of the app as a container: what its Compose file says, and what the lab is told of it."""

    service: Service
    described: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name in the lab's project."""
        return f"{PREFIX}{self.service.container}"

    @property
    def where(self) -> dict[str, str]:
        """What fills the placeholders of what the app is told. Raises UsageError for a port that nobody names."""
        asks = any("{port}" in value for value in self.service.export.values())
        port = self.service.port or _first_port(self.described)
        if asks and port is None:
            raise UsageError(
                f"Nothing says on which port {self.service.name} listens in its container.",
                "its Compose file neither exposes nor publishes one; `port` in lab.toml says it",
                self.service.edit,
            )
        return {HOST: self.service.container, **({PORT: str(port)} if port else {})}


@dataclass(frozen=True)
class Addition:
    """What is laid over compose.yaml for an app."""

    containers: tuple[Container, ...] = ()
    content: Mapping[str, Any] | None = None
    """A Compose file with the app's services, and with what the servers need for their copies; None for nothing."""

    @property
    def services(self) -> list[str]:
        """The names that the app's services, and what those depend on, have in the lab's project."""
        return [name for name in (self.content or {}).get("services", ()) if name.startswith(PREFIX)]


def needed(stack: Stack) -> tuple[Stack, Addition]:
    """(the stack whose servers know where the app's services will be, what is laid over compose.yaml for them).

    Raises UsageError for a service that cannot be a container, or is not in its Compose file.
    """
    needs = stack.request.needs
    files = {file: _read(stack, file, service) for service in needs.services if (file := service.compose)}
    containers = tuple(_container(stack.lab, service, files) for service in needs.services)
    content: dict[str, Any] = {"services": {}, "volumes": {}}
    for container in containers:
        known = files[container.service.compose or ""]["services"]
        content["services"] |= _with_dependencies(stack.lab, container.service.container, known)
    for container in containers:  # once all are there: one that another depends on is asked by its own command, too
        content["services"][container.name] |= _health(container)
    for said in files.values():
        for kind in ("secrets", "configs"):
            content.setdefault(kind, {}).update(said.get(kind) or {})
    if needs.state:
        for server in stack.servers:
            content["volumes"][f"scratch-{server.name}"] = {"labels": {OF_A_RUN: "1"}}
            content["services"][server.name] = {
                "environment": {"LAB_APP_DIR": COPY},
                "volumes": [{"type": "volume", "source": f"scratch-{server.name}", "target": SCRATCH}],
            }
    told = {
        name: value for container in containers for name, value in container.service.exported(container.where).items()
    }
    servers = [_told(server, told, stack.lab) for server in stack.servers] if told else stack.servers
    return replace(stack, servers=servers), Addition(containers, content if containers or needs.state else None)


def lost(containers: Sequence[Container], states: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Which of the app's services has ended, and how; None while all run. `states`: what Compose says of each."""
    for container in containers:
        state = states.get(container.name, {})
        if state.get("State") != "running":
            how = f"ended with exit code {state.get('ExitCode')}" if state else "was removed"
            return f"the service {container.service.name} {how}"
    return None


def _told(server: Server, variables: Mapping[str, str], lab: Lab) -> Server:
    """A server whose app gets these variables, unless it was given others of that name."""
    app = server.app or App(str(lab.app_dir))
    return replace(server, app=replace(app, variables={**variables, **app.variables}))


# ── the app's Compose file ──────────────────────────────────────────────────────────────────────────────────────────


def _read(stack: Stack, file: str, service: Service) -> dict[str, Any]:
    """What Compose makes of the file. Raises UsageError where that is nothing."""
    if not Path(file).is_file():
        what = f"There is no Compose file {file}, which the service {service.name} names."
        raise UsageError(what, "a typo, or a path that is not relative to lab.toml", service.edit)
    described = _ask(stack, "--file", file, "--profile", "*", "config", "--format", "json")
    if not described.ok:
        what = f"{file} cannot be read as a Compose file: {described.last_line}"
        raise UsageError(
            what,
            "its own error, or a variable that is not set here",
            to_paste("docker", "compose", "--file", file, "config"),
        )
    return described.json()


def _ask(stack: Stack, *words: str) -> Outcome:
    command = ["docker", "compose", *words]
    return ask(command, stack.lab.root, inherited(lambda name: name in OURS), CONFIG_TIMEOUT_S)


def _container(lab: Lab, service: Service, files: Mapping[str, Mapping[str, Any]]) -> Container:
    if not service.compose:
        raise UsageError(
            f"The service {service.name} is in no Compose file, so it cannot be started as a container.",
            "lab.toml describes it by a command only",
            "./lab run --engine local",
        )
    known = files[service.compose].get("services", {})
    if service.container not in known:
        what = f"{service.compose} has no service '{service.container}'."
        raise UsageError(what, did_you_mean(service.container, known, f"it has {', '.join(known)}"), service.edit)
    if service.container in lab.services:
        raise UsageError(
            f"The app's service '{service.container}' has the name of one of the lab's own.",
            "in containers a name is an address, and this one is taken; another name in its Compose file is free",
            service.edit,
        )
    return Container(service, known[service.container])


def _with_dependencies(lab: Lab, service: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """A service of a Compose file, and those that it depends on, as services of the lab's project."""
    found: dict[str, Any] = {}
    left = [service]
    while left:
        name = left.pop()
        if f"{PREFIX}{name}" in found or name not in known:
            continue
        described = known[name]
        needs = described.get("depends_on") or {}
        taken = {
            **{key: value for key, value in described.items() if key not in LEFT_OUT},
            "depends_on": {f"{PREFIX}{other}": how for other, how in needs.items()},
            "networks": {"default": {"aliases": [name]}},
            "volumes": list(_volumes(described)),
            "cpuset": listed(lab.service_cpus),
            "attach": False,
        }
        found[f"{PREFIX}{name}"] = of_a_run(taken)
        left += needs
    return found


def _health(container: Container) -> dict[str, Any]:
    """Its own health check, asked often while it starts; lab.toml's command where it has none."""
    check, asked = container.described.get("healthcheck"), container.service.health
    often = {"start_period": f"{math.ceil(asked.timeout_s)}s", "start_interval": "500ms"}
    if check and not check.get("disable"):
        return {"healthcheck": {**often, **check}}
    if not asked.command:
        return {}
    command = for_shell(asked.command, {**container.where, HOST: "127.0.0.1"}).replace("$", "$$")
    return {"healthcheck": {**often, "test": ["CMD-SHELL", command], "interval": "5s", "timeout": "5s", "retries": 3}}


def _volumes(described: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for volume in described.get("volumes") or ():
        if volume.get("type") == "volume":
            yield {key: value for key, value in volume.items() if key != "source"}
        else:
            yield {**volume, "read_only": True} if volume.get("type") == "bind" else volume


def _first_port(described: Mapping[str, Any]) -> int | None:
    exposed = [int(str(port).partition("/")[0].partition("-")[0]) for port in described.get("expose") or ()]
    published = [int(port["target"]) for port in described.get("ports") or ()]
    return next(iter([*exposed, *published]), None)
