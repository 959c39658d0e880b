"""Keeps a process on the CPUs it is meant for, where the system can (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from contextlib import contextmanager


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
