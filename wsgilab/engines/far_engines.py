"""Docker engines of other machines: what they say of themselves, and the lab's containers that are spoken to there."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from wsgilab.errors import MissingError, to_paste
from wsgilab.machine import processes
from wsgilab.machine.cpus import listed
from wsgilab.model import far
from wsgilab.model.hosts import Host

IMAGE = "wsgilab-runner:local"
"""What the service `prometheus-setup` of compose.yaml builds: k6, and the lab's own code."""
BUILDER = "prometheus-setup"
TIMEOUT_S = 20.0
LEADING = ("DOCKER_HOST", "DOCKER_CONTEXT")
"""Variables that lead the docker command to an engine."""
OLDEST = 25
"""The first engine that knows `start_interval`, by which compose.yaml looks at the health of what starts."""
LEASE = "wsgilab-relay"
"""The name of the container that asks servers for us: an engine has one of that name, so one run measures there."""
# As everything in compose.yaml: no root, no capability, nothing to write to but memory, no log of each request.
HARDENED = [
    "--init",
    "--read-only",
    "--tmpfs",
    "/tmp:mode=1777",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges:true",
    "--pids-limit",
    "4096",
    "--log-driver",
    "none",
    "--pull",
    "never",
]
# Docker's bridge would be a part of every response time, and its table of translated connections is full after some
# hundred thousand new ones.
OWN_NETWORK = ["--network", "host"]
"""The machine's."""


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
    image: str = IMAGE
    """Which image that is: its ID."""


@dataclass(frozen=True)
class Silence:
    """Why an engine says nothing."""

    reason: str
    cause: str


@dataclass(frozen=True)
class Trouble:
    """Why a host cannot be used: what was found, the likely cause, the next command."""

    said: str
    cause: str
    fix: str


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


def leading_to(host: Host) -> dict[str, str]:
    """The variable that leads the docker command to a host's engine."""
    return {"DOCKER_HOST" if "://" in host.docker else "DOCKER_CONTEXT": host.docker}


def image_for(host: Host) -> str:
    """The command that makes the runner's image on a host."""
    ((variable, value),) = leading_to(host).items()
    return f"{variable}={to_paste(value)} docker compose build {BUILDER}"


def far_side(host: Host, image: str = IMAGE, overlay: str = "") -> list[str]:
    """The command that starts the container which drives load there; it ends, and is removed, by itself.

    `overlay`: the network by which it reaches servers; empty for its machine's own.
    """
    network = ["--network", overlay] if overlay else OWN_NETWORK
    words = ["run", "--rm", "--interactive", "--name", f"wsgilab-load-{secrets.token_hex(6)}", *HARDENED, *network]
    pinned = ["--cpuset-cpus", host.cpus] if host.cpus else []
    return [*docker(host), *words, *pinned, image, "carry-load"]


def relay(host: Host, image: str, cpus: Set[int]) -> list[str]:
    """The command that starts the container which asks servers there for us, on these CPUs; it ends as `far_side`."""
    door = [] if host.overlay else ["--publish", f"{host.address}::{far.DOOR}"]
    words = ["run", "--rm", "--interactive", "--name", LEASE, *door, *HARDENED]
    pinned = ["--cpuset-cpus", listed(cpus)] if cpus else []
    return [*docker(host), *words, *pinned, image, "carry-load"]


def ask(host: Host) -> EngineFacts | Silence:
    """What a host's engine says."""
    asked = processes.ask([*docker(host), "info", "--format", "{{json .}}"], timeout_s=TIMEOUT_S)
    said = asked.json()
    if not asked.ok or not said.get("ServerVersion"):
        return silence(" ".join(said.get("ServerErrors") or ()) or asked.last_line)
    image = processes.ask([*docker(host), "image", "inspect", "--format", "{{json .}}", IMAGE], timeout_s=TIMEOUT_S)
    return facts(said, image.json() if image.ok else {})


def fit(host: Host) -> EngineFacts:
    """What the engine of a host says that is to run servers. Raises MissingError where it cannot."""
    engine = ask(host)
    if isinstance(engine, Silence):
        raise _unusable(host, silent(host, engine))
    if trouble := unfit(host, engine):
        raise _unusable(host, trouble)
    return engine


def _unusable(host: Host, trouble: Trouble) -> MissingError:
    return MissingError(f"{host.name} cannot run servers: {trouble.said}.", trouble.cause, trouble.fix)


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
        image=str(image.get("Id", IMAGE)),
    )


def unfit(host: Host, engine: EngineFacts) -> Trouble | None:
    """Why an engine that answers cannot be used; None where it can."""
    major = engine.version.partition(".")[0]
    if major.isdecimal() and int(major) < OLDEST:
        fix = to_paste(*docker(host), "version")
        return Trouble(f"Docker {engine.version}", f"the lab needs {OLDEST} or newer", fix)
    if host.cpus and not engine.pins:
        cause = "rootless Docker without the cpuset controller, which would ignore them; leave cpus out, or delegate it"
        return Trouble(f"it cannot keep to the CPUs {host.cpus}", cause, to_paste(*docker(host), "info"))
    return None


def silent(host: Host, why: Silence) -> Trouble:
    """The trouble with an engine that does not answer."""
    fix = to_paste(*docker(host), "version")
    return Trouble(f"its Docker engine does not answer ({why.reason})", why.cause, fix)


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
