"""How far something has come that takes a while: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from wsgilab.commands.console import console, say
from wsgilab.machine.bundles import Moved
from wsgilab.model.bundle import megabytes

EVERY_S = 10.0


@contextmanager
def metered(what: str, total_bytes: int | None = None) -> Iterator[Moved]:
    """Show what is under way while the block lasts, and how many of the bytes that it is told of have come through."""
    screen = console(sys.stderr)
    if not screen.is_terminal:
        say(f"{what} …")
        yield _Lines(what, total_bytes).add
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=24))
    done = TextColumn("{task.fields[done]}", markup=False)
    with Progress(*columns, done, console=screen, transient=True) as bar:
        task = bar.add_task(what, total=total_bytes, done="")

        def add(size_bytes: int) -> None:
            bar.advance(task, size_bytes)
            bar.update(task, done=_told(int(bar.tasks[0].completed), total_bytes))

        yield add


class _Lines:
    """A line each ten seconds: nobody who reads a log wants more, and a quicker thing needs none."""

    def __init__(self, what: str, total_bytes: int | None) -> None:
        self._what = what
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._next = time.monotonic() + EVERY_S

    def add(self, size_bytes: int) -> None:
        self._done_bytes += size_bytes
        if time.monotonic() >= self._next:
            say(f"{self._what}: {_told(self._done_bytes, self._total_bytes)}")
            self._next = time.monotonic() + EVERY_S


def _told(done_bytes: int, total_bytes: int | None) -> str:
    return (
        f"{megabytes(done_bytes)} MB"
        if total_bytes is None
        else f"{megabytes(done_bytes)} of {megabytes(total_bytes)} MB"
    )
