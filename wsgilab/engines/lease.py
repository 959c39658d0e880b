"""One run at a time on another machine: its relay has a fixed name there, which an engine gives to one container.

A relay ends when its runner falls silent, so nobody holds a machine for longer than a few seconds after its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wsgilab.engines import far_engines
from wsgilab.engines.cpus_there import besides_servers
from wsgilab.engines.far_engines import LEASE
from wsgilab.engines.far_trouble import trouble
from wsgilab.engines.host_project import MARK
from wsgilab.engines.moving_in import Site
from wsgilab.engines.relay import Relay
from wsgilab.errors import LabError, MissingError
from wsgilab.lab import ROOT
from wsgilab.lab.sources import digest
from wsgilab.machine import processes
from wsgilab.model import far
from wsgilab.model.hosts import Host, Hosts

TIMEOUT_S = 60.0
TAKEN = "already in use by container"
TRIES, TRY_EVERY_S = 6, 2.0
"""A relay that hears nothing any more ends after ten seconds."""
LEFT = {
    "container": ("rm", "--force", "--volumes"),
    "volume": ("rm", "--force"),
    "network": ("rm",),
}
"""Kinds of things that a run makes there, and how they are removed, in this order."""


@contextmanager
def leased(site: Site, together: Hosts) -> Iterator[Relay]:
    """The relay, while the block lasts: nobody else's servers run there. Raises MissingError where that cannot be."""
    engine = far_engines.fit(site.host)
    others = besides_servers(site.docker.stack, engine, together)
    with Relay(far_engines.relay(site.host, engine.image, others), site.docker.stack.stop) as relay:
        _start(relay, site, together)
        if relay.hello.sources != digest(ROOT):
            raise MissingError(
                f"The image on {site.host.name} is of another version of the lab.",
                "it was built before this clone changed",
                far_engines.image_for(site.host),
            )
        _clear_leftovers(site)
        yield relay


def _start(relay: Relay, site: Site, together: Hosts) -> None:
    """Have it answer, as soon as the one of an earlier run has ended. Raises MissingError, Interrupted."""
    for _ in range(TRIES):
        try:
            relay.start()
            return
        except LabError as error:
            said = error
        if TAKEN not in said.what:
            break
        site.docker.stack.stop.wait(TRY_EVERY_S)
    raise _not_leased(site, said, together) from said


def join(host: Host, network: str) -> str:
    """Let the relay of a host into a network, if one is named. Gives its door, as load hosts reach it.

    Raises MissingError.
    """
    docker = far_engines.docker(host)
    if network:
        joined = processes.ask([*docker, "network", "connect", network, LEASE], timeout_s=TIMEOUT_S)
        if not joined.ok:
            raise trouble(host, "the relay could not join the servers", joined.last_line)
    if host.overlay:
        return f"{LEASE}:{far.DOOR}"
    return processes.ask([*docker, "port", LEASE, f"{far.DOOR}/tcp"]).out.partition("\n")[0].strip()


def _not_leased(site: Site, error: LabError, together: Hosts) -> MissingError:
    if TAKEN in error.what:
        return MissingError(
            f"Another run measures on {site.host.name}.",
            "two at the same time would measure each other; it is free as soon as that one has ended",
            together.doctor,
        )
    return trouble(site.host, "the lab's container for questions did not start", error.what)


def _clear_leftovers(site: Site) -> None:
    """Remove what a run left there that was killed with its link cut: nobody uses it, for we have the lease."""
    for kind, remove in LEFT.items():
        everything = ["--all"] if kind == "container" else []
        left = site.docker.ask(kind, "ls", *everything, "--quiet", "--filter", f"label={MARK}").out.split()
        if left:
            site.docker.ask(kind, *remove, *left, timeout_s=TIMEOUT_S)
            said = f"A run that was killed had left this on {site.host.name}, which is removed: {kind} {' '.join(left)}"
            site.docker.stack.listener.message(said)
