"""The lab's images in a Docker engine: which they are, and how they get into a file and out of one."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from wsgilab.errors import MissingError
from wsgilab.machine import pipes, processes
from wsgilab.machine.bundles import Moved, unheard
from wsgilab.machine.processes import Outcome
from wsgilab.model.bundle import Image

LEVEL = 1
"""Newer engines save layers that are compressed already; for those of older ones the quickest level will do."""
DOCKER = ("docker",)
"""The command of the engine that the environment names."""
SETTINGS = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "User", "WorkingDir")


def names(root: Path, services: Collection[str] = ()) -> dict[str, str]:
    """Every image that compose.yaml names, or those of some services: each with the command that gets it.

    Raises MissingError where it cannot be read.
    """
    profiles = ["--profile", "more", "--profile", "browser"]
    described = processes.ask(["docker", "compose", *profiles, "config", "--format", "json"], root)
    if not described.ok:
        raise MissingError(
            f"compose.yaml cannot be read: {described.last_line}.",
            "an edit of compose.yaml or .env, or an old Compose",
            "docker compose config",
        )
    found = json.loads(described.out)["services"]
    chosen = {name: service for name, service in found.items() if not services or name in services}
    built = {service["image"]: f"docker compose build {name}" for name, service in found.items() if "build" in service}
    return {
        image: built.get(image, f"docker pull {image}") for image in sorted(one["image"] for one in chosen.values())
    }


def described(name: str, docker: Sequence[str] = DOCKER) -> tuple[Image, int] | None:
    """An image of an engine, and how many bytes it takes; None where it is not there."""
    asked = processes.ask([*docker, "image", "inspect", name])
    if not asked.ok:
        return None
    (found,) = json.loads(asked.out)
    settings = [found["Config"].get(key) or None for key in SETTINGS]
    told = json.dumps([found["RootFS"]["Layers"], settings], sort_keys=True)
    image = Image(name, f"{found['Os']}/{found['Architecture']}", hashlib.sha256(told.encode()).hexdigest())
    return image, found["Size"]


def platform(docker: Sequence[str] = DOCKER) -> str:
    """What an engine runs: `linux/amd64`; empty where it does not answer."""
    return processes.ask([*docker, "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"]).out.strip()


def save(images: Sequence[str], file: Path, moved: Moved = unheard) -> None:
    """Write images, with what they share only once, into a .tar.gz. Raises MissingError where they cannot be saved."""
    with gzip.open(file, "wb", compresslevel=LEVEL) as packed:

        def take(chunk: bytes) -> None:
            packed.write(chunk)
            moved(len(chunk))

        done = pipes.drain(["docker", "save", *images], take)
    if not done.ok:
        what, cause = f"The images could not be saved: {done.last_line}.", "the engine has no room left, or has ended"
        raise MissingError(what, cause, "docker system df")


def load(chunks: Iterable[bytes]) -> Outcome:
    """Load what `save` wrote."""
    return pipes.feed(["docker", "load"], chunks)
