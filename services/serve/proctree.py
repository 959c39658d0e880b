"""One server's processes as Linux shows them under /proc: the root process and everything below it.

CPU time, processes, threads, memory, open files, context switches. The counters survive the death of processes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import process
from process import Stat

_PSS_SHARE_OF_A_CORE = 0.001
_PSS_ALLOWANCE_MAX_S = 0.004
_PSS_NEW_PROCESSES_S = 0.008

# A process as far as counting goes: its number may be given out again, its number and start time may not.
Identity = tuple[int, int]


@dataclass(frozen=True)
class Usage:
    """One reading of a process tree. None: not known, since it takes a while (PSS) or was refused."""

    cpu_s: float
    processes: int
    threads: int
    rss_bytes: int
    pss_bytes: int | None
    open_fds: int | None
    voluntary_switches: int
    involuntary_switches: int
    refused: tuple[str, ...]
    """What the kernel would not tell of another user's process."""


@dataclass
class _Seen:
    """What one process showed at the last reading."""

    cpu_s: float
    reaped_cpu_s: float


class ProcessTree:
    """The process `root` and its descendants. Not thread-safe."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.pids: tuple[int, ...] = ()
        """The tree at the last reading."""
        self._seen: dict[Identity, _Seen] = {}
        self._lost_cpu_s = 0.0
        self._switches = _Switches()
        self._pss = _Pss()

    def read(self) -> Usage:
        """What the tree uses at this moment, its dead included in the counters.

        Raises ProcessLookupError when the root has gone.
        """
        stats: dict[int, Stat] = {}
        threads: dict[int, list[str]] = {}
        for pid, stat, tids in self._walk():
            stats[pid], threads[pid] = stat, tids
        if self.root not in stats:
            raise ProcessLookupError(self.root)
        self.pids = tuple(stats)
        voluntary, involuntary = self._switches.read(threads)
        refused: list[str] = []

        def unless_refused(what: str, reading: Callable[[], int | None]) -> int | None:
            # Not even a partial sum: it would pass for the whole.
            try:
                return reading()
            except PermissionError:
                refused.append(what)
                return None

        identities = {(pid, stat.start_ticks) for pid, stat in stats.items()}
        return Usage(
            cpu_s=self._cpu_s(stats),
            processes=len(stats),
            threads=sum(stat.threads for stat in stats.values()),
            rss_bytes=sum(stat.rss_bytes for stat in stats.values()),
            pss_bytes=unless_refused("pss", lambda: self._pss.read(identities)),
            open_fds=unless_refused("open_fds", lambda: _total(stats, process.open_fds)),
            voluntary_switches=voluntary,
            involuntary_switches=involuntary,
            refused=tuple(refused),
        )

    def _walk(self) -> Iterator[tuple[int, Stat, list[str]]]:
        """Each process that lives, with its threads."""
        children = process.children if process.KERNEL_LISTS_CHILDREN else process.children_by_scan()
        waiting = [self.root]
        while waiting:
            pid = waiting.pop()
            try:
                stat, tids = process.read_stat(pid), process.threads(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended between being listed and being read
            yield pid, stat, tids
            waiting.extend(children(pid, tids))

    def _cpu_s(self, stats: dict[int, Stat]) -> float:
        """CPU seconds of the living and of all who ever died in the tree; never less than before.

        Who dies normally turns up in the parent's reaped time. Where that does not happen (SIGCHLD ignored, parent
        died first and init did the reaping) the last value seen is kept instead.
        """
        now: dict[Identity, _Seen] = {}
        for pid, stat in stats.items():
            identity = pid, stat.start_ticks
            before = self._seen.get(identity)
            try:
                cpu_s = process.cpu_s(pid)
            except ProcessLookupError:
                continue
            # A thread's last microseconds are added in two steps: the clock may step back a little.
            now[identity] = _Seen(max(cpu_s, before.cpu_s if before else 0.0), stat.reaped_cpu_s)
        gone = [seen for identity, seen in self._seen.items() if identity not in now]
        if gone:
            expected_s = sum(seen.cpu_s + seen.reaped_cpu_s for seen in gone)
            reaped_s = sum(
                seen.reaped_cpu_s - self._seen[identity].reaped_cpu_s
                for identity, seen in now.items()
                if identity in self._seen
            )
            self._lost_cpu_s += max(0.0, expected_s - reaped_s)
        self._seen = now
        return self._lost_cpu_s + sum(seen.cpu_s + seen.reaped_cpu_s for seen in now.values())


class _Switches:
    """Context switches, kept per thread: /proc/PID/status tells only those of the main thread.

    The kernel shows no total that includes dead threads, so a thread that lives and dies between two readings
    (one per connection in the dev server) is not in it. CPU time does not have this gap.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[int, str], tuple[int, int]] = {}
        self._dead = (0, 0)

    def read(self, threads: dict[int, list[str]]) -> tuple[int, int]:
        now: dict[tuple[int, str], tuple[int, int]] = {}
        for pid, tids in threads.items():
            for tid in tids:
                try:
                    now[pid, tid] = process.switches(pid, tid)
                except (FileNotFoundError, ProcessLookupError):
                    continue
        for thread, (voluntary, involuntary) in self._last.items():
            if thread not in now or now[thread] < (voluntary, involuntary):
                self._dead = self._dead[0] + voluntary, self._dead[1] + involuntary
        self._last = now
        return (
            self._dead[0] + sum(voluntary for voluntary, _ in now.values()),
            self._dead[1] + sum(involuntary for _, involuntary in now.values()),
        )


class _Pss:
    """Proportional memory. The kernel walks every page for it (about 1 ms per worker), so values are kept for a while.

    New processes are read first, though no longer than a scrape may take: until all are known, which takes two or
    three scrapes when many workers start at once, the sum is None. After that the one whose value is oldest comes
    first, as long as all this stays below a thousandth of a core: with five workers a value is some five seconds old
    at most.
    """

    def __init__(self) -> None:
        self._bytes: dict[Identity, int] = {}  # ordered: oldest value first
        self._allowance_s = 0.0
        self._last_read_at = time.monotonic()

    def read(self, identities: set[Identity]) -> int | None:
        """The sum. Raises PermissionError when a process is not ours to read."""
        self._earn()
        self._bytes = {identity: pss for identity, pss in self._bytes.items() if identity in identities}
        spent_s = 0.0
        for identity in identities - self._bytes.keys():
            if spent_s < _PSS_NEW_PROCESSES_S:
                spent_s += self._refresh(identity)
        for identity in list(self._bytes):
            if self._allowance_s > 0:
                self._allowance_s -= self._refresh(identity)
        return sum(self._bytes.values()) if len(self._bytes) == len(identities) else None

    def _earn(self) -> None:
        now = time.monotonic()
        earned_s = (now - self._last_read_at) * _PSS_SHARE_OF_A_CORE
        self._allowance_s = min(self._allowance_s + earned_s, _PSS_ALLOWANCE_MAX_S)
        self._last_read_at = now

    def _refresh(self, identity: Identity) -> float:
        """Read one process; CPU seconds that this took."""
        started = time.thread_time()
        self._bytes.pop(identity, None)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile: it counts as not known
            self._bytes[identity] = process.pss_bytes(identity[0])
        return time.thread_time() - started


def _total(pids: Iterable[int], read_one: Callable[[int], int]) -> int:
    """Sum over those processes that still live."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += read_one(pid)
    return total
