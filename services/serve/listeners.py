"""Connections that the kernel has accepted and the server has not: the accept queues of its listening sockets."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence

from kernel_files import read
from sock_diag import accept_queues

_TCP_LISTEN = b"0A"
_RESCAN_S = 5.0
_SLOW_SHARE_OF_A_CORE = 0.002


class Listeners:
    """The listening sockets of a process tree, TCP and unix. Not thread-safe."""

    def __init__(self, root: int) -> None:
        self._queues = accept_queues if _same_network(root) else SlowQueues(root).read
        self._slow_queues = SlowQueues(root).read
        self._inodes: frozenset[int] = frozenset()
        self._pids: tuple[int, ...] = ()
        self._scanned_at = float("-inf")

    def queue_length(self, pids: Sequence[int]) -> int | None:
        """Connections waiting, over all listeners of these processes; None while there is none.

        Raises PermissionError for another user's processes.
        """
        try:
            queues = self._queues()
        except OSError:  # no sock_diag here: do without unix sockets, and do not ask again
            self._queues = self._slow_queues
            queues = self._queues()
        changed = tuple(pids) != self._pids and time.monotonic() - self._scanned_at > _RESCAN_S
        if changed or not self._inodes:
            # Only listeners are kept. Workers that share one have it under the same inode.
            self._inodes = frozenset().union(*map(_socket_inodes, pids)) & queues.keys()
            self._pids, self._scanned_at = tuple(pids), time.monotonic()
        return sum(queues.get(inode, 0) for inode in self._inodes) if self._inodes else None


class SlowQueues:
    """Queues of TCP listeners from /proc/PID/net: for another network namespace, or a kernel without sock_diag.

    The kernel walks its whole table of connections for it (several ms), so a value is kept until reading again stays
    below 0.2 % of a core.
    """

    def __init__(self, pid: int) -> None:
        self.paths = (f"/proc/{pid}/net/tcp", f"/proc/{pid}/net/tcp6")
        self._last: dict[int, int] = {}
        self._due_at = float("-inf")

    def read(self) -> dict[int, int]:
        """Connections waiting, by inode of the listening socket, as of the last time they were looked up."""
        if time.monotonic() >= self._due_at:
            started = time.thread_time()
            self._last = {inode: length for path in self.paths for inode, length in _listening_rows(path).items()}
            self._due_at = time.monotonic() + (time.thread_time() - started) / _SLOW_SHARE_OF_A_CORE
        return self._last


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


def _listening_rows(path: str) -> dict[int, int]:
    try:
        rows = read(path).splitlines()[1:]
    except FileNotFoundError:  # no IPv6
        return {}
    fields = (row.split() for row in rows)
    return {int(field[9]): int(field[4].partition(b":")[2], 16) for field in fields if field[3] == _TCP_LISTEN}


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
