"""`./lab doctor --hosts FILE`: whether several machines could measure together, and what each of them lacks."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from wsgilab.engines import far_engines
from wsgilab.engines.lease import TAKEN, join
from wsgilab.engines.relay import Relay
from wsgilab.errors import LabError, to_paste
from wsgilab.lab import ROOT
from wsgilab.lab.sources import digest
from wsgilab.machine.waiting import Stop
from wsgilab.measure.host_check import Seen, look
from wsgilab.model.clock import Clock
from wsgilab.model.far import Path
from wsgilab.model.finding import MISSING, ODD, OK, Finding
from wsgilab.model.hosts import Host, Hosts

CLOCK_S, WRONG_CLOCK_S = 1.0, 60.0
"""Times of load hosts are put right by how far their clocks are off; what is off so far is a clock that nobody sets."""
SLOW_MS = 5.0
"""A way to the servers that would be most of a fast answer."""


def examine(together: Hosts) -> Iterator[Finding]:
    """Every check of every host, as a run would need it."""
    yield from (_elsewhere if together.elsewhere else _here)(together)


def _here(together: Hosts) -> Iterator[Finding]:
    servers = together.servers
    try:
        listener = socket.create_server((servers.address, 0))
    except OSError as error:
        said = f"{servers.address} is not an address of this machine ({os.strerror(error.errno or 0)})"
        yield Finding(servers.name, MISSING, said, "ip -brief address")
        return
    with listener:
        yield Finding(servers.name, OK, f"servers would listen on {servers.address}, as processes of this machine")
        yield from _load(together, f"http://{servers.address}:{listener.getsockname()[1]}")


def _elsewhere(together: Hosts) -> Iterator[Finding]:
    servers = together.servers
    seen = look(servers)
    of_servers = list(findings(servers, seen, digest(ROOT)))
    yield from of_servers
    if seen.engine is None or any(finding.state == MISSING for finding in of_servers):
        return
    with Relay(far_engines.relay(servers, seen.image, frozenset()), Stop()) as relay:
        at = servers.network or servers.address
        try:
            relay.start()
            door = join(servers, servers.overlay)
        except LabError as error:
            taken = "another run measures there now; the machine is free as soon as that one has ended"
            said = taken if TAKEN in error.what else f"no container there can be reached on {at} ({error.what})"
            yield Finding(servers.name, MISSING, said, to_paste(*far_engines.docker(servers), "ps"))
            return
        yield Finding(servers.name, OK, f"its containers would be reached on {at}")
        yield from _load(together, f"http://{door}")


def _load(together: Hosts, url: str) -> Iterator[Finding]:
    """Look at the load hosts, which try to reach the servers' machine at `url`."""
    with ThreadPoolExecutor(len(together.load)) as at_once:
        seen = tuple(at_once.map(lambda host: look(host, url, together.servers.overlay), together.load))
    for host, one in zip(together.load, seen, strict=True):
        yield from findings(host, one, digest(ROOT))
    yield from alike(together.load, seen)


def findings(host: Host, seen: Seen, sources: str) -> Iterator[Finding]:
    """What was found on a host; `sources`: the digest of the lab here."""
    if engine := seen.engine:
        said = f"Docker {engine.version}, {engine.architecture}, {engine.cpus} CPUs, {engine.memory_mb} MB"
        yield Finding(host.name, OK, said)
    if trouble := seen.trouble:
        yield Finding(host.name, MISSING, f"{trouble.said}: {trouble.cause}", trouble.fix)
        return
    if seen.sources != sources:
        yield Finding(host.name, MISSING, "its image is of another version of the lab", far_engines.image_for(host))
        return
    yield Finding(host.name, OK, f"{seen.k6}, on {seen.cpus} CPU{'s' if seen.cpus > 1 else ''}")
    yield _clock(host, seen.clock)
    if seen.path:
        yield _path(host, seen.path)


def alike(load: Sequence[Host], seen: Sequence[Seen]) -> Iterator[Finding]:
    """What is wrong with load hosts next to each other: the same machine twice, another k6."""
    engines: dict[str, Host] = {}
    for host, one in zip(load, seen, strict=True):
        if one.engine_id and (other := engines.setdefault(one.engine_id, host)) is not host:
            said = f"the same Docker engine as {other.name}: --generators sends more from one machine"
            yield Finding(host.name, MISSING, said, "./lab run --help")
    versions = {one.k6 for one in seen if one.k6}
    if len(versions) > 1:
        yield Finding(
            "k6",
            MISSING,
            f"load hosts have different ones: {', '.join(sorted(versions))}",
            far_engines.image_for(load[-1]),
        )


def _clock(host: Host, clock: Clock) -> Finding:
    said = f"its clock is {abs(clock.ahead_s):.3f} s {'ahead' if clock.ahead_s > 0 else 'behind'}"
    said += f" (within {clock.within_s * 1000:.1f} ms)"
    if abs(clock.ahead_s) < CLOCK_S:
        return Finding(host.name, OK, said)
    state = MISSING if abs(clock.ahead_s) > WRONG_CLOCK_S else ODD
    return Finding(host.name, state, said, "sudo timedatectl set-ntp true")


def _path(host: Host, path: Path) -> Finding:
    if not path.connect_ms:
        said = f"it does not reach the servers' address ({path.trouble}): a firewall, or an address of another network"
        return Finding(host.name, MISSING, said, "ip -brief address")
    said = f"a connection to the servers' address takes {path.median_ms:.2f} ms ({path.connect_ms[-1]:.2f} at most)"
    if path.median_ms > SLOW_MS:
        return Finding(host.name, ODD, f"{said}: part of every answer, whichever server gives it")
    return Finding(host.name, OK, said)
