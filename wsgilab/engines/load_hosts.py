"""Docker engines of other machines: what they say of themselves, and the container that drives load there."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wsgilab.machine import processes
from wsgilab.model.hosts import Host

IMAGE = "wsgilab-runner:local"
"""What the service `prometheus-setup` of compose.yaml builds: k6, and the lab's own code."""
BUILDER = "prometheus-setup"
TIMEOUT_S = 20.0
# As everything in compose.yaml: no root, no capability, nothing to write to but memory, no log of each request. The
# machine's own network: Docker's bridge would be a part of every response time, and its table of translated connections
# is full after some hundred thousand new ones.
HARDENED = [
    "--init",
    "--read-only",
    "--tmpfs",
    "/tmp:mode=1777",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges:true",
    "--network",
    "host",
    "--pids-limit",
    "4096",
    "--log-driver",
    "none",
    "--pull",
    "never",
]


@dataclass(frozen=True)
class EngineFacts:
    """What an engine says of itself and its machine."""

    id: str
    version: str
    architecture: str
    cpus: int
    memory_mb: int
    pins: bool
    """Whether it can keep a container to CPUs."""
    has_image: bool
    image_architecture: str = ""
    """That of the image, where it is there."""


@dataclass(frozen=True)
class Silence:
    """Why an engine says nothing."""

    reason: str
    cause: str


CAUSES = {
    "host key verification failed": "its host key is not known here, or has changed: connect by ssh once, and compare",
    "permission denied": "this user may not log in there, or may not use Docker there (the group docker)",
    "connection refused": "no Docker engine listens there",
    "no such host": "a typo, or a name that only other machines know",
    "could not resolve": "a typo, or a name that only other machines know",
    "no route to host": "the machine is off, or in another network",
    "timed out": "the machine is off, or a firewall lets nothing through",
    "no answer within": "the machine is off, or a firewall lets nothing through",
    "context": "there is no context of that name: `docker context ls` has those that are",
    "is the docker daemon running": "the Docker engine there has not been started",
}
"""What a docker command says, in small letters → why that is likely."""


def docker(host: Host) -> list[str]:
    """The docker command for a host's engine."""
    return ["docker", "--host" if "://" in host.docker else "--context", host.docker]


def far_side(host: Host) -> list[str]:
    """The command that starts the container which drives load there; it ends, and is removed, by itself."""
    words = ["run", "--rm", "--interactive", "--name", f"wsgilab-load-{secrets.token_hex(6)}", *HARDENED]
    pinned = ["--cpuset-cpus", host.cpus] if host.cpus else []
    return [*docker(host), *words, *pinned, IMAGE, "carry-load"]


def ask(host: Host) -> EngineFacts | Silence:
    """What a host's engine says."""
    asked = processes.ask([*docker(host), "info", "--format", "{{json .}}"], timeout_s=TIMEOUT_S)
    said = asked.json()
    if not asked.ok or not said.get("ServerVersion"):
        return silence(" ".join(said.get("ServerErrors") or ()) or asked.last_line)
    image = processes.ask([*docker(host), "image", "inspect", "--format", "{{json .}}", IMAGE], timeout_s=TIMEOUT_S)
    return facts(said, image.json() if image.ok else {})


def facts(info: Mapping[str, Any], image: Mapping[str, Any]) -> EngineFacts:
    """What `docker info` and `docker image inspect` say; `image`: empty where it is not there."""
    return EngineFacts(
        id=str(info.get("ID", "")),
        version=str(info["ServerVersion"]),
        architecture=_one_name(str(info.get("Architecture", ""))),
        cpus=int(info.get("NCPU", 0)),
        memory_mb=int(info.get("MemTotal", 0)) // 1_000_000,
        pins=info.get("CPUSet") is not False,
        has_image=bool(image),
        image_architecture=_one_name(str(image.get("Architecture", ""))),
    )


def silence(said: str) -> Silence:
    """Why an engine says nothing, by what its docker command said."""
    lower = said.lower()
    cause = next(
        (why for words, why in CAUSES.items() if words in lower), "its engine is not running, or not reachable"
    )
    return Silence(said.rpartition("stderr=")[2], cause)  # of ssh, what it said itself


def _one_name(architecture: str) -> str:
    """The kernel's names and those of images, as one."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(architecture, architecture)
