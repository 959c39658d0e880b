"""The worker processes of one server: since when each has lived, and why others have ended."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import process
from tally import Tally, Worker
from uwsgi_stats import UwsgiStats
from worker_ends import UNKNOWN, ExitStatuses, GunicornNotes

MOURNED_S = 10.0
"""How long the start of a worker that has ended is still reported: a reader that comes once a second misses none."""
RECYCLED = "recycled"
"""The server has ended it in order, and does not say why: by a limit on memory or lifetime, say."""
_UWSGI_END = "exit 30"  # UWSGI_END_CODE in uWSGI's uwsgi.h
INQUEST_S = 5.0
"""So long its master may take to notice that it has ended: before that, nobody can say why."""


@dataclass(frozen=True)
class Report:
    """What is known at one reading."""

    started_at: dict[int, float]
    """Epoch seconds, by process: of the living, and of those that ended in the last ten seconds."""
    start_cpu_s: dict[int, float]
    """CPU time that each of them had used when its first request came, by process."""
    ends: dict[str, int]
    """Workers that have ended since the server started, by why."""
    settings: dict[str, float]
    """What the server goes by, as far as it says so: `timeout` in seconds until it kills a worker, `slots`."""


@dataclass(frozen=True)
class _Death:
    worker: Worker
    started_at: float
    noticed_at: float
    """By the monotonic clock."""

    def is_older_than(self, seconds: float) -> bool:
        """Whether it was noticed longer ago than that."""
        return time.monotonic() - self.noticed_at > seconds


class Workers:
    """Follows the workers from one reading to the next. Not thread-safe."""

    def __init__(self, run_dir: Path) -> None:
        self._gunicorn = GunicornNotes(run_dir / "gunicorn-notes")
        self._statuses = ExitStatuses()
        self._started_at: dict[tuple[int, float], float] = {}
        """Of workers that live."""
        self._mourned: list[_Death] = []
        self._unexplained: list[_Death] = []
        self._ends: Counter[str] = Counter()
        self._uwsgi: UwsgiStats | None = None
        self._numbers: dict[int, int] = {}
        """uWSGI's numbers of its workers, by process."""
        self._harakiris_told = 0

    def read(self, tally: Tally, uwsgi: UwsgiStats | None) -> Report:
        """What is known of the workers, once it has taken over from the middleware's tables who lives and who has died.

        `uwsgi` must have been read after them. Raises OSError.
        """
        if uwsgi:  # else its last answer: it was late this time
            self._uwsgi = uwsgi
            self._numbers |= {pid: number for number, pid in uwsgi.pids.items()}
        self._bury(tally.dead)
        self._meet(tally.living)
        self._unexplained = [death for death in self._unexplained if not self._explain(death)]
        started_at = {death.worker.pid: death.started_at for death in self._mourned}
        started_at |= {pid: started for (pid, _), started in self._started_at.items()}
        told_by_gunicorn = self._gunicorn.read()
        ends = dict(self._ends if told_by_gunicorn is None else told_by_gunicorn)
        known = [*(death.worker for death in self._mourned), *tally.living]
        start_cpu_s = {worker.pid: worker.start_cpu_s for worker in known if worker.start_cpu_s}
        return Report(started_at, start_cpu_s, ends, self._gunicorn.settings | self._uwsgis_settings())

    def _bury(self, dead: tuple[Worker, ...]) -> None:
        # Nobody has seen one alive that came and went between two readings: it is as old as its first request.
        deaths = [
            _Death(worker, self._started_at.pop(worker.identity, worker.first_request_at), time.monotonic())
            for worker in dead
        ]
        self._mourned = [death for death in self._mourned + deaths if not death.is_older_than(MOURNED_S)]
        self._unexplained += deaths

    def _meet(self, living: tuple[Worker, ...]) -> None:
        for worker in living:
            if worker.identity not in self._started_at:
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended; or not Linux
                    self._started_at[worker.identity] = process.started_at(worker.pid)
                self._statuses.watch(worker.identity)

    def _explain(self, death: _Death) -> bool:
        """Whether it is known by now why a worker ended, or never will be."""
        worker, uwsgi = death.worker, self._uwsgi
        noticed = uwsgi is None or worker.pid not in uwsgi.pids.values()
        status = self._statuses.look(worker.identity) if noticed else None
        if status is None and not death.is_older_than(INQUEST_S):
            return False
        self._statuses.let_go(worker.identity)
        status = status or UNKNOWN
        self._ends[self._uwsgis_reason(worker, status) or _reason(worker, status)] += 1
        return True

    def _uwsgis_settings(self) -> dict[str, float]:
        slots = {"slots": float(self._uwsgi.slots)} if self._uwsgi and self._uwsgi.slots else {}
        harakiri = os.environ.get("UWSGI_HARAKIRI", "")
        return {**slots, **({"timeout": float(harakiri)} if self._uwsgi and harakiri.isdecimal() else {})}

    def _uwsgis_reason(self, worker: Worker, status: str) -> str | None:
        """Why uWSGI has ended this worker; None where it was not uWSGI."""
        uwsgi, number = self._uwsgi, self._numbers.pop(worker.pid, None)
        if uwsgi is None:
            return None
        if not worker.has_left and status in ("SIGKILL", UNKNOWN) and uwsgi.harakiris > self._harakiris_told:
            self._harakiris_told += 1
            return "harakiri"
        if not worker.has_left and status != _UWSGI_END:
            return None
        if number in uwsgi.cheap:
            return "cheaper"
        most = os.environ.get("UWSGI_MAX_REQUESTS", "")
        return "max_requests" if most.isdecimal() and worker.requests >= int(most) > 0 else RECYCLED


def _reason(worker: Worker, status: str) -> str:
    return RECYCLED if worker.has_left and status in ("exit 0", UNKNOWN) else status
