"""The middleware's numbers of all worker processes, added up; those of dead workers are kept in one archive.

The exporter is the only reader, so it can also be the only undertaker: before each reading it adds the tables of
processes that no longer live to the archive and removes them. Counters therefore never decrease and a reading stays
fast after thousands of restarts, under every server alike. The hooks servers offer for this (Gunicorn's
`child_exit`, which prometheus_client's `mark_process_dead` wants) do not exist everywhere, are skipped when the
master itself dies, and leave the dead worker's counter file to be parsed for ever.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, compress
from pathlib import Path

from table import (
    DURATION_SUM,
    FIRST_BUCKET,
    FIRST_CODE,
    FIRST_LEVEL,
    FIRST_NAMED,
    LEFT,
    LOWEST_CODE,
    NAMED_FIGURES,
    START_CPU,
    SUFFIX,
    TABLE_BYTES,
    least_inside,
)


@dataclass(frozen=True)
class Worker:
    """One process that has had a request."""

    pid: int
    first_request_at: float
    """Epoch seconds."""
    requests: float
    """Finished ones."""
    has_left: bool
    """Whether it has ended in order, as nobody does who is killed."""
    arrivals: dict[int, float]
    """Requests that began while so many, themselves included, were inside the app (from 64 on: at least so many)."""
    start_cpu_s: float = 0.0
    """CPU time that it had used when its first request came: what it takes to start one."""

    @property
    def identity(self) -> tuple[int, float]:
        """What no other worker has: its number may be given out again."""
        return self.pid, self.first_request_at

    @property
    def in_flight(self) -> float:
        """Requests under way; never less than there were at some moment of the reading."""
        return sum(self.arrivals.values()) - self.requests


@dataclass(frozen=True)
class Named:
    """The requests of one name, which the load generator gave."""

    requests: float
    seconds: float
    """From the call of the app until the body was closed, in sum."""
    cpu_seconds: float
    """CPU time of their threads meanwhile; 0 where requests share a thread."""


@dataclass(frozen=True)
class Tally:
    """What the workers, living and dead, have recorded since the server started."""

    in_flight: float
    """Requests under way; a worker that was killed takes its own with it."""
    duration_sum_s: float
    cumulative_buckets: tuple[float, ...]
    """Requests at or below each of BUCKET_EDGES_S, then all of them."""
    requests_by_code: dict[int, float]
    living: tuple[Worker, ...]
    dead: tuple[Worker, ...]
    """Those whose tables went to the archive in this reading."""
    named: dict[int, Named] = field(default_factory=dict)
    """By the number of the name."""


class Tables:
    """All tables in the metrics directory."""

    def __init__(self, directory: Path, is_alive: Callable[[int], bool]) -> None:
        self.directory = directory
        self.is_alive = is_alive
        self.archive = array("d", bytes(TABLE_BYTES))
        """Sum of the dead. It lives as long as the exporter, that is, as long as the server."""

    def read(self) -> Tally:
        """What all workers have recorded up to now; the dead ones' tables move to the archive. Raises OSError."""
        # The files first, then who is alive: the other way round, a worker born in between would look dead.
        files = sorted(_births(self.directory.glob(f"*{SUFFIX}")), reverse=True)
        total = array("d", self.archive)
        living: list[Worker] = []
        dead: list[Worker] = []
        pids: set[int] = set()
        for pid, birth_ns, file in files:
            # An older table under the same number is that of a former process.
            alive = pid not in pids and self.is_alive(pid)
            pids.add(pid)
            content = file.read_bytes()
            # Shorter while it is being made, or for ever if its process was killed at that.
            table = array("d", content if len(content) == TABLE_BYTES else bytes(TABLE_BYTES))
            (living if alive else dead).append(_worker(pid, birth_ns / 1e9, table))
            if not alive:
                file.unlink()  # first: should it fail, nothing is counted twice
                _add(self.archive, table)
            _add(total, table)
        return Tally(
            in_flight=sum(worker.in_flight for worker in living),
            duration_sum_s=total[DURATION_SUM],
            cumulative_buckets=tuple(accumulate(total[FIRST_BUCKET:FIRST_CODE])),
            requests_by_code={
                slot - FIRST_CODE + LOWEST_CODE: total[slot]
                for slot in _filled(total)
                if FIRST_CODE <= slot < FIRST_LEVEL
            },
            named=dict(_named(total)),
            living=tuple(living),
            dead=tuple(dead),
        )


def _births(files: Iterable[Path]) -> Iterable[tuple[int, int, Path]]:
    """(process, nanoseconds at which it made its table, file) of every file that is named like a table."""
    for file in files:
        pid, _, birth_ns = file.name.removesuffix(SUFFIX).partition("-")
        if pid.isdecimal() and birth_ns.isdecimal() and file.is_file():
            yield int(pid), int(birth_ns), file


def _worker(pid: int, first_request_at: float, table: array[float]) -> Worker:
    filled = [slot for slot in _filled(table) if slot >= FIRST_CODE]
    return Worker(
        pid=pid,
        first_request_at=first_request_at,
        requests=sum(table[slot] for slot in filled if slot < FIRST_LEVEL),
        has_left=bool(table[LEFT]),
        arrivals={
            least_inside(slot - FIRST_LEVEL): table[slot] for slot in filled if FIRST_LEVEL <= slot < FIRST_NAMED
        },
        start_cpu_s=table[START_CPU],
    )


def _named(table: array[float]) -> Iterable[tuple[int, Named]]:
    for first in range(FIRST_NAMED, len(table), NAMED_FIGURES):
        if table[first]:
            yield (first - FIRST_NAMED) // NAMED_FIGURES, Named(*table[first : first + NAMED_FIGURES])


def _add(total: array[float], table: array[float]) -> None:
    for slot in _filled(table):
        total[slot] += table[slot]


def _filled(slots: Sequence[float]) -> Iterable[int]:
    """The numbers of the slots that are not 0; nearly all are."""
    return compress(range(len(slots)), slots)
