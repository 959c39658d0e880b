"""Keeps a process on the CPUs it is meant for, where the system can (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager

from wsgilab.errors import MissingError


@contextmanager
def pinned(cpus: Set[int] | None) -> Iterator[None]:
    """Processes started inside run on `cpus` only: a child inherits the CPUs of the thread that starts it.

    Does nothing for None, on a system without affinity, or where none of `cpus` exists.
    """
    usable = available() & cpus if cpus else None
    if not usable:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, usable)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def available() -> frozenset[int]:
    """The CPUs this process may use; empty where the system has no affinity."""
    if not hasattr(os, "sched_getaffinity"):
        return frozenset()
    return frozenset(os.sched_getaffinity(0))


def last(count: int) -> frozenset[int]:
    """So many of the CPUs that this process may use, the last ones: all of them where it was given no more."""
    return frozenset(sorted(available())[-count:])


def require(sets: Mapping[str, Set[int]], usable: Set[int]) -> None:
    """Raise MissingError, with the lines for .env, where CPUs are asked for that may not be used here.

    `sets`: SERVER_CPUS and LOAD_CPUS. `usable`: empty where nobody can tell.
    """
    if not usable or all(cpus <= usable for cpus in sets.values()):
        return
    asked = " and ".join(f"{name}={listed(cpus)}" for name, cpus in sets.items())
    servers, load = proposed(usable, len(sets["SERVER_CPUS"]))
    lines = (f"SERVER_CPUS={listed(servers)}", f"LOAD_CPUS={listed(load)}")
    alone = "; the two then share the only CPU, and k6 slows down what it measures" if servers == load else ""
    cpus = f"CPU{'s' if len(usable) > 1 else ''} {listed(usable)}"
    raise MissingError(
        f"{asked}, but only {cpus} can be used here.",
        "they are meant for another machine; these two lines in .env suit this one"
        f"{alone}:\n    {lines[0]}\n    {lines[1]}",
        f"{' '.join(lines)} ./lab run",
    )


def proposed(usable: Set[int], servers: int) -> tuple[frozenset[int], frozenset[int]]:
    """(CPUs for servers, for the load) of those that can be used: `servers` of them, and the last."""
    *others, last = sorted(usable)
    return frozenset(others[:servers] or [last]), frozenset([last])


def listed(cpus: Set[int]) -> str:
    """CPU numbers as `taskset --cpu-list` takes them: 0-2,5."""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][-1] == cpu - 1:
            parts[-1].append(cpu)
        else:
            parts.append([cpu])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)
