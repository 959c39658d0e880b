"""CPU time, from /proc (proc(5)): of a process with all that it started, and of CPUs; unknown where there is none."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PARENT, USED = 1, slice(11, 15)
"""In /proc/PID/stat behind the name: ppid; utime, stime, cutime and cstime: the last two of children that ended."""
BUSY = (0, 1, 2, 7)
"""In a line of /proc/stat behind the name: user, nice, system, steal. Interrupts are in the times of processes."""


@dataclass(frozen=True)
class CpuUse:
    """What some CPUs have done until a moment."""

    count: int
    at_s: float
    busy_s: float
    """For whomever, with what a hypervisor took away meanwhile."""
    own_s: float
    """For one process and all that it started, as far as they may run there."""

    def foreign_share_since(self, before: CpuUse) -> float:
        """The share of these CPUs that others had. The kernel counts in ticks: a share of 0.02 may be none."""
        foreign_s = (self.busy_s - before.busy_s) - (self.own_s - before.own_s)
        return max(0.0, foreign_s / max(1e-9, self.at_s - before.at_s) / self.count)


def use_of(cpus: Set[int], root: int | None = None) -> CpuUse | None:
    """What these CPUs have done since the system was started; None where nobody tells, or there are none of them.

    `root`: the process whose own share is told apart; this one where it is left out.
    """
    lines = [line.split() for line in _read(Path("/proc/stat")).splitlines() if line.startswith("cpu")]
    fields = [list(map(int, line[1:])) for line in lines if line[0].removeprefix("cpu") in map(str, cpus)]
    if not fields:
        return None
    own = _processes()
    ticks = sum(
        process.ticks
        for pid, process in own.items()
        if _descends(pid, root or os.getpid(), own) and _may_run_on(pid, cpus)
    )
    busy = sum(line[place] for line in fields for place in BUSY)
    a_second = os.sysconf("SC_CLK_TCK")
    return CpuUse(len(fields), time.monotonic(), busy / a_second, ticks / a_second)


def used_s(root: int) -> float | None:
    """The seconds that a process and its descendants have used, those that have ended too; None where it is gone."""
    found = _processes()
    if root not in found:
        return None
    return sum(found[pid].ticks for pid in found if _descends(pid, root, found)) / os.sysconf("SC_CLK_TCK")


def descendants(root: int) -> frozenset[int]:
    """The process ids of all that a process has started and that still run, at any depth."""
    found = _processes()
    return frozenset(pid for pid in found if pid != root and _descends(pid, root, found))


@dataclass(frozen=True)
class _Process:
    parent: int
    ticks: int


def _processes() -> dict[int, _Process]:
    """Each process of this machine by its id."""
    found: dict[int, _Process] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        if text := _read(path):
            fields = text.rpartition(")")[2].split()
            found[int(path.parent.name)] = _Process(int(fields[PARENT]), sum(map(int, fields[USED])))
    return found


def _descends(pid: int, root: int, found: Mapping[int, _Process]) -> bool:
    seen: set[int] = set()
    while pid != root:
        if pid in seen or pid not in found:
            return False
        seen.add(pid)
        pid = found[pid].parent
    return True


def _may_run_on(pid: int, cpus: Set[int]) -> bool:
    with suppress(OSError):  # it has just ended
        return bool(os.sched_getaffinity(pid) & cpus)
    return False


def _read(path: Path) -> str:
    """A file of /proc; nothing where there is none: a process may end while we look."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
