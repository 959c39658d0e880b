"""The connections of a server's listening sockets: those it has, and those the kernel has accepted and it has not."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import sock_diag
from kernel_files import read
from sock_diag import Listener

Value = TypeVar("Value")

_TCP_LISTEN = b"0A"
_RESCAN_S = 5.0
_SLOW_SHARE_OF_A_CORE = 0.002


class Listeners:
    """The listening sockets of a process tree, TCP and unix. Not thread-safe."""

    def __init__(self, root: int) -> None:
        self._read = sock_diag.listeners if _same_network(root) else SlowListeners(root).read
        self._slow_read = SlowListeners(root).read
        self._inodes: frozenset[int] = frozenset()
        self._pids: tuple[int, ...] = ()
        self._scanned_at = float("-inf")
        self._ports: frozenset[tuple[int, int]] = frozenset()
        self._connections = Thrifty(self._count_connections)

    def queue_length(self, pids: Sequence[int]) -> int | None:
        """Connections waiting, over all listeners of these processes; None while there is none.

        Raises PermissionError for another user's processes.
        """
        try:
            found = self._read()
        except OSError:  # no sock_diag here: do without unix sockets, and do not ask again
            self._read = self._slow_read
            found = self._read()
        changed = tuple(pids) != self._pids and time.monotonic() - self._scanned_at > _RESCAN_S
        if changed or not self._inodes:
            # Only listeners are kept. Workers that share one have it under the same inode.
            self._inodes = frozenset().union(*map(_socket_inodes, pids)) & found.keys()
            self._pids, self._scanned_at = tuple(pids), time.monotonic()
        ours = [found[inode] for inode in self._inodes if inode in found]
        self._ports = frozenset(listener.port for listener in ours if listener.port)
        return sum(listener.waiting for listener in ours) if self._inodes else None

    def connections(self) -> int | None:
        """Open connections of the TCP listeners that the last reading of the queue has found, waiting ones among them.

        None where the server has no such listener, or the kernel does not tell. Raises OSError.
        """
        return self._connections.read() if self._ports else None

    def _count_connections(self) -> int:
        return sum(sock_diag.connections(family, port) for family, port in self._ports)


class Thrifty(Generic[Value]):
    """A reading that may take the kernel long: kept until reading again stays below 0.2 % of a core."""

    def __init__(self, read_now: Callable[[], Value]) -> None:
        self._read_now = read_now
        self._last: Value | None = None
        self._due_at = float("-inf")

    def read(self) -> Value:
        """The value as of the last time that it was looked up."""
        if self._last is None or time.monotonic() >= self._due_at:
            started = time.thread_time()
            self._last = self._read_now()
            self._due_at = time.monotonic() + (time.thread_time() - started) / _SLOW_SHARE_OF_A_CORE
        return self._last


class SlowListeners:
    """TCP listeners from /proc/PID/net: for another network namespace, or a kernel without sock_diag.

    The kernel walks its whole table of connections for it (several ms). No connections are counted this way.
    """

    def __init__(self, pid: int) -> None:
        self.paths = (f"/proc/{pid}/net/tcp", f"/proc/{pid}/net/tcp6")
        self.read = Thrifty(self._read_now).read

    def _read_now(self) -> dict[int, Listener]:
        return {inode: listener for path in self.paths for inode, listener in _listening_rows(path).items()}


def listen_overflows(pid: int) -> int | None:
    """Connections refused since a queue was full (TcpExt ListenOverflows), of the whole network namespace."""
    try:
        lines = read(f"/proc/{pid}/net/netstat").split(b"\n")
    except FileNotFoundError:
        return None
    for names, values in itertools.pairwise(lines):
        if names.startswith(b"TcpExt:") and values.startswith(b"TcpExt:"):
            return int(values.split()[names.split().index(b"ListenOverflows")])
    return None


def _same_network(pid: int) -> bool:
    try:
        return os.path.samefile(f"/proc/{pid}/ns/net", "/proc/self/ns/net")
    except OSError:  # another user's process does not say
        return False


def _listening_rows(path: str) -> dict[int, Listener]:
    try:
        rows = read(path).splitlines()[1:]
    except FileNotFoundError:  # no IPv6
        return {}
    fields = (row.split() for row in rows)
    return {
        int(field[9]): Listener(int(field[4].partition(b":")[2], 16)) for field in fields if field[3] == _TCP_LISTEN
    }


def _socket_inodes(pid: int) -> frozenset[int]:
    inodes: set[int] = set()
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            if target.startswith("socket:["):
                inodes.add(int(target[8:-1]))
    except (FileNotFoundError, ProcessLookupError):
        pass  # a worker that ends, a file that is closed meanwhile
    return frozenset(inodes)
