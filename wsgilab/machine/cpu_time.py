"""The CPU time of a process with all that it started, from /proc (proc(5)); unknown where there is none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

PARENT, USED = 1, slice(11, 15)
"""In /proc/PID/stat behind the name: ppid; utime, stime, cutime and cstime: the last two of children that ended."""


def used_s(root: int) -> float | None:
    """The seconds that a process and its descendants have used, those that have ended too; None where it is gone."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it may end while we look
            found = path.read_text(errors="replace").rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid], ticks[pid] = int(found[PARENT]), sum(map(int, found[USED]))
    if root not in ticks:
        return None
    return sum(ticks[pid] for pid in ticks if _descends(pid, root, parents)) / os.sysconf("SC_CLK_TCK")


def _descends(pid: int, root: int, parents: Mapping[int, int]) -> bool:
    seen: set[int] = set()
    while pid != root:
        if pid in seen or pid not in parents:
            return False
        seen.add(pid)
        pid = parents[pid]
    return True


def descendants(root: int) -> frozenset[int]:
    """The process ids of all that a process has started and that still run, at any depth."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it may end while we look
            found = path.read_text(errors="replace").rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(found[PARENT])
    return frozenset(pid for pid in parents if pid != root and _descends(pid, root, parents))
