"""The lab's images on every machine of a measurement: the same ones, before anything starts there."""

from __future__ import annotations

from collections.abc import Sequence

from wsgilab.engines import compose, far_engines, images
from wsgilab.engines.far_trouble import trouble
from wsgilab.engines.stack import Docker, Stack
from wsgilab.errors import MissingError, to_paste
from wsgilab.machine import pipes
from wsgilab.model import words
from wsgilab.model.bundle import Image
from wsgilab.model.hosts import Host, Hosts

NEEDED = ("image", far_engines.BUILDER, "nginx")
"""Services whose images the servers' machine needs."""


def supply(stack: Stack, together: Hosts) -> None:
    """Have every image where it is needed: that of this machine where it has one, else as the servers' engine gets it.

    Raises MissingError where that cannot be, Interrupted.
    """
    servers = together.servers
    far_engines.fit(servers)
    there = Docker(stack, stack.environment())
    bring(_names(there), servers, stack)
    if reason := compose.prepare_images(stack, NEEDED):
        raise MissingError(
            f"{servers.name} has not all images that its servers need: {reason}.",
            "it reaches no image registry; images of this machine's own engine are sent there",
            "docker compose build; docker compose pull nginx",
        )
    runner = images.described(far_engines.IMAGE, far_engines.docker(servers))
    _require_own_kind(_names(there), servers)
    for host in together.load:  # what else is wrong with one is said when the load is made ready
        _carry([runner] if runner else [], far_engines.docker(servers), host, stack)


def bring(names: Sequence[str], host: Host, stack: Stack) -> None:
    """Have images of this machine on a host, those that this machine has for such hosts. Raises as `supply`."""
    found = [image for name in names if (image := images.described(name))]
    _carry(found, images.DOCKER, host, stack)


def _require_own_kind(names: Sequence[str], host: Host) -> None:
    """Raise MissingError for an image that is for another kind of machine: emulated, it would start at best."""
    docker = far_engines.docker(host)
    platform = images.platform(docker)
    for name in names:
        there = images.described(name, docker)
        if there and there[0].platform != platform:
            raise MissingError(
                f"{name} on {host.name} is for {there[0].platform}, and that machine is {platform}.",
                "it was loaded from a machine of another kind; without it, the next run gets the right one",
                to_paste(*docker, "image", "rm", name),
            )


def _names(there: Docker) -> list[str]:
    described = there.ask("compose", "config", "--format", "json")
    services = described.json().get("services", {}) if described.ok else {}
    return [services[name]["image"] for name in NEEDED if name in services]


def _carry(found: Sequence[tuple[Image, int]], giver: Sequence[str], taker: Host, stack: Stack) -> None:
    """Save them on one machine and load them on another, those that are not there. Raises MissingError, Interrupted."""
    docker = far_engines.docker(taker)
    platform = images.platform(docker)
    sent = [one for one in found if one[0].platform == platform and not _is_there(one[0], docker)]
    if not sent:
        return
    names = [image.name for image, _ in sent]
    size_mb = sum(size_bytes for _, size_bytes in sent) / 1e6
    stack.listener.message(f"Sending {words.listed(names)} to {taker.name} ({size_mb:.0f} MB) …")
    done = pipes.pour([*giver, "save", *names], [*docker, "load"], stack.stop)
    if not done.ok or not all(_is_there(image, docker) for image, _ in sent):
        said = done.last_line if not done.ok else "they are others there"
        raise trouble(taker, f"{words.listed(names)} could not be sent there", said)


def _is_there(image: Image, docker: Sequence[str]) -> bool:
    there = images.described(image.name, docker)
    return there is not None and there[0] == image
