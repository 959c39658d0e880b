"""The worker processes of one server: since when each has lived, and why others have ended."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import process
from tally import Tally, Worker
from uwsgi_stats import UwsgiStats
from worker_ends import UNKNOWN, ExitStatuses, GunicornEnds

MOURNED_S = 10.0
"""So long the start of a worker that has ended is still told: whoever reads once a second learns of every one."""
INQUEST_S = 5.0
"""So long its master may take to notice that it has ended: before that, nobody can say why."""


@dataclass(frozen=True)
class Report:
    """What is known at one reading."""

    started_at: dict[int, float]
    """Epoch seconds, by process: of the living, and of those that ended in the last ten seconds."""
    ends: dict[str, int]
    """Workers that have ended since the server started, by why."""


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
        self._gunicorn = GunicornEnds(run_dir / "gunicorn-ends")
        self._statuses = ExitStatuses()
        self._started_at: dict[tuple[int, float], float] = {}
        """Of the living."""
        self._mourned: list[_Death] = []
        self._unexplained: list[_Death] = []
        self._ends: Counter[str] = Counter()
        self._uwsgi: UwsgiStats | None = None
        self._harakiris_told = 0

    def read(self, tally: Tally, uwsgi: UwsgiStats | None) -> Report:
        """What is known of the workers, once it has taken over from the middleware's tables who lives and who has died.

        `uwsgi` must have been read after them. Raises OSError.
        """
        self._uwsgi = uwsgi or self._uwsgi  # what it said last, where it was late this time
        self._bury(tally.dead)
        self._meet(tally.living)
        self._unexplained = [death for death in self._unexplained if not self._explain(death)]
        started_at = {death.worker.pid: death.started_at for death in self._mourned}
        started_at |= {pid: started for (pid, _), started in self._started_at.items()}
        told_by_gunicorn = self._gunicorn.read()
        return Report(started_at, dict(self._ends if told_by_gunicorn is None else told_by_gunicorn))

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
        uwsgi, why = self._uwsgi, None
        if uwsgi is None or death.worker.pid not in uwsgi.pids:  # else its master has not noticed
            why = self._statuses.look(death.worker.identity)
        if why is None and not death.is_older_than(INQUEST_S):
            return False
        if why in ("SIGKILL", UNKNOWN) and uwsgi and uwsgi.harakiris > self._harakiris_told:
            self._harakiris_told += 1
            why = "harakiri"
        self._ends[why or UNKNOWN] += 1
        self._statuses.let_go(death.worker.identity)
        return True
