"""The Compose project for servers on another machine: compose.yaml as it stands, but for what only this machine has.

Nothing of this machine is mounted there: what would be is copied into a volume. Nothing is built there, images go by
their IDs, and ports are published on the one address of that machine. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from wsgilab.errors import UsageError
from wsgilab.model.server import Server

CARRIER = "carrier"
"""A service that never starts: its container has the volumes, so that something can be copied into them."""
COPIES = "/copies"
"""Where it has them."""
MARK = "wsgilab.host"
"""The label of all that a run makes on another machine."""
ONLY_HERE = ("build", "depends_on", "image", "ports", "profiles", "pull_policy", "volumes")
"""What of a service is said anew."""
ONLY_ON_THIS_MACHINE = "./lab run --engine compose"
OWN_NGINX = ("nginx", 8080)
"""Where nginx answers by itself: (service, port)."""


@dataclass(frozen=True)
class Copy:
    """A folder or a file of this machine, and where the carrier's container takes it."""

    source: str
    folder: str


@dataclass(frozen=True)
class Terms:
    """What a project is made for."""

    name: str
    run_id: str
    """What servers and exporters say in X-Lab-Run."""
    address: str
    """Where ports are published."""
    overlay: str
    """The network that is used instead, without any port; empty for none."""
    images: Mapping[str, str]
    """By name: the ID that an image has there."""
    files: Set[str]
    """Those of this machine, among what would be mounted, that are no folders."""


@dataclass(frozen=True)
class Project:
    """A Compose file, and what has to be copied before its services start."""

    content: Mapping[str, Any]
    copies: tuple[Copy, ...]


def sources(config: Mapping[str, Any], services: Sequence[str]) -> set[str]:
    """What of this machine these services would mount."""
    volumes = [volume for name in services for volume in config["services"][name].get("volumes", ())]
    return {volume["source"] for volume in volumes if volume["type"] == "bind"}


def images_of(config: Mapping[str, Any], services: Sequence[str]) -> set[str]:
    """The names of the images that these services run from. Raises UsageError for a service that has none by name."""
    for name in services:
        if not config["services"][name].get("image"):
            what = f"The service {name} is built on this machine, and its image has no name by which it could be sent."
            raise UsageError(what, "`image` is missing next to `build` in its Compose file", ONLY_ON_THIS_MACHINE)
    return {config["services"][name]["image"] for name in services}


def project(config: Mapping[str, Any], services: Sequence[str], servers: Sequence[Server], terms: Terms) -> Project:
    """The project of these services, out of what `docker compose config --format json` says.

    Raises UsageError for a service that needs more of this machine than folders.
    """
    volumes = _Volumes(terms)
    made = {name: _service(name, config["services"][name], services, volumes, terms) for name in services}
    for service, port in () if terms.overlay else _unpublished(servers):
        made[service].setdefault("ports", []).append(_published(port, terms))
    made[CARRIER] = _carrier(made[OWN_NGINX[0]], volumes)
    label = {MARK: terms.name}
    content = {
        "name": terms.name,
        "services": made,
        "networks": {"default": {"external": True, "name": terms.overlay} if terms.overlay else {"labels": label}},
        "volumes": {name: _marked(volume, label) for name, volume in volumes.of(config, made).items()},
    }
    return Project(content, tuple(volumes.copies))


class _Volumes:
    """Volumes that take the place of what would be mounted from this machine: one for each folder."""

    def __init__(self, terms: Terms) -> None:
        self._files = terms.files
        self._names: dict[tuple[str, str], str] = {}
        self.copies: list[Copy] = []

    def instead_of(self, volume: Mapping[str, Any]) -> dict[str, Any]:
        """The volume that has what would be mounted; of a file, the folder that it is in."""
        source, target = volume["source"], volume["target"]
        is_file = source in self._files
        key = (source, target if is_file else "")
        if key not in self._names:
            self._names[key] = name = f"copy-{len(self._names)}"
            self.copies.append(Copy(source, f"{COPIES}/{name}"))
        folder = str(PurePosixPath(target).parent) if is_file else target
        options = {"nocopy": True}
        return {"type": "volume", "source": self._names[key], "target": folder, "read_only": True, "volume": options}

    @property
    def writable(self) -> list[dict[str, Any]]:
        """All of them, as the carrier has them."""
        return [{"type": "volume", "source": name, "target": f"{COPIES}/{name}"} for name in self._names.values()]

    def of(self, config: Mapping[str, Any], services: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Every volume that the services name."""
        used = {volume.get("source") for service in services.values() for volume in service["volumes"]}
        known = config.get("volumes") or {}
        kept = {name: _without(known.get(name) or {}, "name") for name in known if name in used}
        return kept | {name: {} for name in self._names.values()}


def _service(
    name: str, said: Mapping[str, Any], services: Sequence[str], volumes: _Volumes, terms: Terms
) -> dict[str, Any]:
    if said.get("secrets") or said.get("configs"):
        raise UsageError(
            f"The service {name} needs secrets or configs of this machine.",
            "they are files that another machine does not have; an image or a folder can be sent there",
            ONLY_ON_THIS_MACHINE,
        )
    needs = {other: how for other, how in (said.get("depends_on") or {}).items() if other in services}
    mounted = [
        volumes.instead_of(volume) if volume["type"] == "bind" else volume for volume in said.get("volumes") or ()
    ]
    marked = {"LAB_RUN_ID": terms.run_id} if "LAB_EXPORTER_PORT" in (said.get("environment") or {}) else {}
    said_ports = () if terms.overlay else said.get("ports") or ()
    ports = [{**port, "host_ip": terms.address} for port in said_ports]
    made = {
        **_without(said, *ONLY_HERE),
        "image": terms.images[said["image"]],
        "pull_policy": "never",
        "environment": {**(said.get("environment") or {}), **marked},
        "volumes": mounted,
        **({"depends_on": needs} if needs else {}),
        **({"ports": ports} if ports else {}),
    }
    return _marked(made, {MARK: terms.name})


def _unpublished(servers: Sequence[Server]) -> list[tuple[str, int]]:
    """(service, port in it) of what load has to reach, and compose.yaml publishes nowhere."""
    at = [urlsplit(server.url) for server in servers if server.variant_of]
    return [OWN_NGINX, *((str(one.hostname), one.port or 0) for one in at)]


def _published(port: int, terms: Terms) -> dict[str, Any]:
    """A port on the address, with a number of that machine's choice."""
    return {"mode": "ingress", "protocol": "tcp", "target": port, "host_ip": terms.address}


def _carrier(like: Mapping[str, Any], volumes: _Volumes) -> dict[str, Any]:
    kept = ("image", "pull_policy", "labels", "read_only", "cap_drop", "security_opt", "user")
    return {
        **{key: like[key] for key in kept if key in like},
        "entrypoint": ["true"],
        "network_mode": "none",
        "volumes": volumes.writable,
    }


def _marked(said: Mapping[str, Any], label: Mapping[str, str]) -> dict[str, Any]:
    return {**said, "labels": {**(said.get("labels") or {}), **label}}


def _without(said: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key not in keys}
