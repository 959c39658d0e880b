"""Ports of this machine: a free one, or who holds the one we need."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Container, Iterator, Mapping
from itertools import repeat
from pathlib import Path

from wsgilab.errors import MissingError

OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""From which the system gives each outgoing connection a port (Linux, Documentation/networking/ip-sysctl.rst)."""
USUAL_OUTGOING = (49_152, 65_535)
"""Where nobody says: the dynamic ports of RFC 6335."""
LOWEST = 10_000
"""Below it are ports that people know by heart."""


def free_port() -> int:
    """A TCP port on loopback that nobody has now, and that no outgoing connection will be given."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int, besides: Container[int] = ()) -> list[int]:
    """So many such ports, each another one, and none of those in `besides`.

    A port that an outgoing connection has, or had within a minute, cannot be listened on: health checks of some servers
    would take those of others. Where the system leaves no ports but such, they have to do.
    """
    with contextlib.ExitStack() as held:
        found: list[int] = []
        for port in _candidates():
            if len(found) == count:
                break
            probe = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):  # somebody has it
                probe.bind(("127.0.0.1", port))
                given = int(probe.getsockname()[1])
                found += [] if given in besides else [given]
        return found


def _candidates() -> Iterator[int]:
    lowest, highest = _outgoing()
    others = [port for port in range(LOWEST, 65_536) if not lowest <= port <= highest]
    random.shuffle(others)
    yield from others
    yield from repeat(0)  # any, says bind


def _outgoing() -> tuple[int, int]:
    try:
        lowest, highest = map(int, OUTGOING.read_text().split())
    except (OSError, ValueError):
        return USUAL_OUTGOING
    return lowest, highest


def require_free(ports: Mapping[int, tuple[str, str]]) -> None:
    """Raise MissingError unless every port can be bound. `ports` maps a port to (server, variable that sets it)."""
    for port, (server, variable) in ports.items():
        if not is_free(port):
            raise MissingError(
                f"Port {port} on 127.0.0.1, which {server} needs, is in use.",
                why_taken(port),
                f"{variable}={another(port)} ./lab run",
            )


def another(port: int) -> int:
    """One to suggest instead."""
    return port + 1000 if port + 1000 < 65536 else port - 1000


def is_free(port: int) -> bool:
    """Whether a listener could be started on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def why_taken(port: int) -> str:
    """Why nobody else can listen on a port, in words."""
    if _listening_inodes(port):
        return f"{holder(port)} listens on it"
    return "a connection of some program has that port, or had it less than a minute ago"


def holder(port: int) -> str:
    """Which process listens on a port, in words, as far as /proc lets this user see it."""
    inodes = _listening_inodes(port)
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (entry / "fd").iterdir():
                if os.readlink(descriptor) in inodes:
                    return describe_process(int(entry.name))
    return "another program (of another user, or in a container)"


def describe_process(pid: int) -> str:
    """A process in words: its number, and its command as far as this user may see it."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return f"process {pid} ({command[:80]})"
    return f"process {pid}"


def _listening_inodes(port: int) -> set[str]:
    """Links such as `socket:[123]` of the listeners on a port; the format is that of proc(5), /proc/net/tcp."""
    listening = "0A"
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == listening and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found
