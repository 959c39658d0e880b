"""Where several generators wait for each other, so that their schedules begin together.

Each asks from its setup() and gets no answer until all have asked. Nothing listens where they run, and no clocks need
be in step: what counts is that one answer reaches all at about the same moment.
"""

from __future__ import annotations

import http.server
import secrets
import socketserver
import threading
import time
from types import TracebackType

GO, CALLED_OFF = 204, 503
STALE_S = 10.0
"""A connection that says nothing for so long is none of ours."""


class Arrivals:
    """Which of several generators, by their numbers from 1 on, have come to where they wait for each other."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._there: set[int] = set()
        self._changed = threading.Condition()

    @property
    def started(self) -> bool:
        """Whether all were there and have been told to start."""
        return not self.missing

    @property
    def missing(self) -> tuple[int, ...]:
        """Those that have not come yet."""
        with self._changed:
            return tuple(number for number in range(1, self._count + 1) if number not in self._there)


class StartLine(Arrivals):
    """Listens while its block lasts, on a loopback port of its own or `at` an address that other machines reach.

    Who does not know the path is answered 404.
    """

    def __init__(self, count: int, at: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        super().__init__(count)
        self._secret = secrets.token_hex(8)
        self._over = False
        self.told_at = 0.0
        """When all were told to start, in epoch seconds; 0.0 before that."""
        self._door = _Door(at, _Caller)
        self._door.line = self
        self._thread = threading.Thread(target=self._door.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> StartLine:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Listen no longer: those who wait are sent away. It may be closed again."""
        with self._changed:
            closed, self._over = self._over, True
            self._changed.notify_all()
        if not closed:
            self._door.shutdown()
            self._door.server_close()
            self._thread.join()

    def url(self, number: int | str) -> str:
        """Where generator `number`, from 1 on, asks; or what stands for it."""
        host, port = self._door.server_address[:2]
        return f"http://{host!s}:{port}/{self._secret}/{number}"

    def arrive(self, number: int) -> None:
        """One more is there."""
        with self._changed:
            self._there.add(number)
            if len(self._there) == self._count:
                self.told_at = self.told_at or time.time()
            self._changed.notify_all()

    def wait(self, path: str) -> int | None:
        """Wait with the generator that asks for this path. The status to answer; None where it is none of them."""
        secret, _, number = path.strip("/").partition("/")
        if secret != self._secret or number not in map(str, range(1, self._count + 1)):
            return None
        self.arrive(int(number))
        with self._changed:
            self._changed.wait_for(lambda: self._over or len(self._there) == self._count)
            return GO if len(self._there) == self._count else CALLED_OFF


class _Door(socketserver.ThreadingTCPServer):  # an HTTPServer looks up its own name first, which may take seconds
    daemon_threads = True
    allow_reuse_address = True  # one follows another at a port that a NetworkPolicy names
    request_queue_size = 128
    block_on_close = False
    line: StartLine

    def handle_error(self, request: object, client_address: object) -> None:
        """A generator that was stopped while it waited has hung up."""


class _Caller(http.server.BaseHTTPRequestHandler):
    server: _Door
    timeout = STALE_S

    def do_GET(self) -> None:
        """The answer, when it is time."""
        self.send_response(self.server.line.wait(self.path) or 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: standard error is for people."""
