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
from dataclasses import dataclass
from itertools import accumulate, compress
from pathlib import Path

from metrics import (
    BUCKET_EDGES_S,
    DURATION_SUM,
    FIRST_BUCKET,
    FIRST_CODE,
    IN_FLIGHT,
    LOWEST_CODE,
    SUFFIX,
    TABLE_BYTES,
)


@dataclass(frozen=True)
class Tally:
    """What the workers, living and dead, have recorded since the server started."""

    in_flight: float
    """Requests under way; a worker that was killed takes its own with it."""
    duration_sum_s: float
    cumulative_buckets: tuple[float, ...]
    """Requests at or below each of BUCKET_EDGES_S, then all of them."""
    requests_by_code: dict[int, float]
    requests_by_worker: dict[int, float]
    """Finished requests of each living worker process, by its id: is the work shared evenly?"""


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
        files = sorted(self.directory.glob(f"*{SUFFIX}"), key=_pid_and_birth, reverse=True)
        living = array("d", bytes(TABLE_BYTES))
        pids: set[int] = set()
        by_worker: dict[int, float] = {}
        for file in files:
            pid, _ = _pid_and_birth(file)
            # An older table under the same number is that of a former process.
            alive = pid not in pids and self.is_alive(pid)
            pids.add(pid)
            content = file.read_bytes()
            # Shorter while it is being made, or for ever if its process was killed at that.
            table = array("d", content if len(content) == TABLE_BYTES else bytes(TABLE_BYTES))
            if alive:
                _add(living, table)
                by_worker[pid] = sum(table[FIRST_CODE:])
            else:
                file.unlink()  # first: should it fail, nothing is counted twice
                table[IN_FLIGHT] = 0.0
                _add(self.archive, table)
        _add(living, self.archive)
        return _tally(living, by_worker)


def _pid_and_birth(file: Path) -> tuple[int, int]:
    pid, _, birth_ns = file.name.removesuffix(SUFFIX).partition("-")
    return int(pid), int(birth_ns)


def _add(total: array[float], table: array[float]) -> None:
    for slot in _filled(table):
        total[slot] += table[slot]


def _filled(slots: Sequence[float]) -> Iterable[int]:
    """The numbers of the slots that are not 0; nearly all are."""
    return compress(range(len(slots)), slots)


def _tally(slots: Sequence[float], by_worker: dict[int, float]) -> Tally:
    return Tally(
        in_flight=slots[IN_FLIGHT],
        duration_sum_s=slots[DURATION_SUM],
        cumulative_buckets=tuple(accumulate(slots[FIRST_BUCKET : FIRST_BUCKET + len(BUCKET_EDGES_S) + 1])),
        requests_by_code={
            slot - FIRST_CODE + LOWEST_CODE: slots[slot] for slot in _filled(slots) if slot >= FIRST_CODE
        },
        requests_by_worker=by_worker,
    )
