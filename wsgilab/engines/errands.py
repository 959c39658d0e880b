"""Errands between a runner inside the Compose network and the host, which alone may speak to Docker.

A server can only be started anew, and its log only be read, by whoever has the Docker socket, and no container of the
lab gets that. So `./lab`, on the host, does these errands for the runner that it has started: for the servers of
this run, and nothing else. The runner asks in a line of its output, as it tells everything, and reads the answer from
its standard input.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Sequence

import msgspec

from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.errands import Done, Errand, What

PATIENCE_S = 100.0
"""Longer than a reset may take."""
LOOK_EVERY_S = 0.1
STOP_S = 3
"""How long a server has to end by itself: there is nothing that it would have to save."""
LOG_LINES = 40
LONGEST_LOG = 16_000

Compose = Callable[[Sequence[str]], Outcome]
"""Runs `docker compose ARGUMENTS…`."""


class Host:
    """The host, as the runner inside sees it."""

    def __init__(self, tell: Callable[[Errand], None], answers: int, stop: Stop) -> None:
        """`answers`: the descriptor that they are read from, a line each."""
        self._tell = tell
        self._answers = answers
        self._stop = stop
        self._read = b""

    def restart(self, server: str) -> bool:
        """Have a server's container started anew. Whether that was done."""
        return self._done(Errand(What.RESTART, server)).ok

    def log(self, server: str) -> str:
        """The last lines that a server wrote."""
        return self._done(Errand(What.LOG, server)).text

    def reset(self, server: str) -> Done:
        """Have a server's app reset; what came of it, in words where it failed."""
        return self._done(Errand(What.RESET, server))

    def ended(self, server: str) -> str:
        """How a server's container ended; empty while it runs, or where nobody can tell."""
        return self._done(Errand(What.ENDED, server)).text

    def lost_service(self) -> str | None:
        """Which of the app's services has ended, and how; None while all run, or where nobody answers."""
        return self._done(Errand(What.SERVICES)).text or None

    def _done(self, errand: Errand) -> Done:
        self._tell(errand)
        try:
            return msgspec.json.decode(self._next_line(), type=Done)
        except ValueError:  # nobody answers: no run fails for that
            return Done(ok=False)

    def _next_line(self) -> bytes:
        """The next answer; nothing where none comes. Raises Interrupted."""
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self._read and time.monotonic() < deadline:
            self._stop.check()
            if select.select([self._answers], [], [], LOOK_EVERY_S)[0]:
                chunk = os.read(self._answers, 65_536)
                if not chunk:
                    return b""
                self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        return line


def do(errand: Errand, servers: Sequence[str], compose: Compose) -> Done:
    """On the host: do it, if it is for a server of this run."""
    if errand.server not in servers:
        return Done(ok=False)
    if errand.what is What.RESTART:
        return Done(compose(["restart", "--timeout", str(STOP_S), errand.server]).ok)
    logs = compose(["logs", "--no-color", "--no-log-prefix", "--tail", str(LOG_LINES), errand.server])
    return Done(logs.ok, logs.out[-LONGEST_LOG:])


def answer(done: Done) -> str:
    """What came of it, as the line that the runner reads."""
    return msgspec.json.encode(done).decode()
