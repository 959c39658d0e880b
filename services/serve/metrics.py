"""WSGI middleware that counts and times every request of any WSGI app, at about four microseconds each.

Each worker process owns one small file in the metrics directory (tmpfs): a fixed table of float64, mapped into
memory, so that an update is one store and the exporter, another process, reads it without asking the server.
The table is prometheus_client's multiprocess idea without its keys: the metrics are known beforehand, so a slot
has a number instead of a JSON name. That makes a request three to four times cheaper than prometheus_client's
own values, keeps its import out of the measured server's memory, and leaves an app that uses
prometheus_client itself exactly as it would be without the lab.

Layout, in float64 slots: requests in flight, sum of durations in seconds, one slot per histogram bucket
(not cumulative; the last is +Inf), one slot per status code from 100 to 999.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import time
from _thread import allocate_lock
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from typing import Any, cast

BUCKET_EDGES_S = (
    0.001, 0.002, 0.005, 0.010, 0.015, 0.020, 0.025, 0.030, 0.040, 0.050, 0.075, 0.100, 0.150, 0.200, 0.250,
    0.350, 0.500, 0.750, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of the histogram's buckets, in seconds: finest where answers are expected, one on the SLO of 250 ms."""

IN_FLIGHT, DURATION_SUM, FIRST_BUCKET = 0, 1, 2
FIRST_CODE = FIRST_BUCKET + len(BUCKET_EDGES_S) + 1
LOWEST_CODE, HIGHEST_CODE = 100, 999
SLOTS = FIRST_CODE + HIGHEST_CODE - LOWEST_CODE + 1
TABLE_BYTES = SLOTS * 8
SUFFIX = ".table"

_CODE_SLOTS = {str(code): FIRST_CODE + code - LOWEST_CODE for code in range(LOWEST_CODE, HIGHEST_CODE + 1)}
_EXCEPTION_SLOT = _CODE_SLOTS["500"]

_MADV_WIPEONFORK = 18  # asm-generic/mman-common.h; Python has no name for it

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class Table:
    """The numbers of one worker process. Only that process writes them."""

    def __init__(self, directory: Path) -> None:
        self.mine = _fork_mark()
        """`mine[0]` is true in the process that made the table, and false in its forks."""
        # The time keeps a table apart from that of a dead process whose number was given out again.
        path = directory / f"{os.getpid()}-{time.time_ns()}{SUFFIX}"
        with open(path, "xb+") as file:
            file.write(bytes(TABLE_BYTES))  # zeros, not a hole: a full disk fails here and not as SIGBUS later
            file.flush()
            self.slots = memoryview(mmap.mmap(file.fileno(), TABLE_BYTES)).cast("d")
        # `slots[i] += 1` is a read and a write; threads of one worker share the table.
        self.lock = allocate_lock()


class _PidMark:
    """Asks the kernel who we are each time."""

    def __init__(self) -> None:
        self.pid = os.getpid()

    def __getitem__(self, _: int) -> bool:
        return os.getpid() == self.pid


def _fork_mark() -> mmap.mmap | _PidMark:
    """A page that the kernel clears in a forked child: looking there is no system call.

    In the middle of a Flask request, os.getpid() took 4 µs of the 9 µs that the whole middleware did.
    """
    if sys.platform == "linux":
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(OSError):  # before Linux 4.14, and in some sandboxes
            page.madvise(_MADV_WIPEONFORK)
            page[0] = 1
            return page
    return _PidMark()


class Middleware:
    """A WSGI app that passes everything on to `app`, says who answered, and records each request in `directory`.

    `X-Lab-Server` names the server, `X-Lab-Run` the run that started it, where one did: whoever asks can tell its own
    server from one of the same name that somebody else started.

    A request ends when the server closes its body; an exception ends it too, counts as 500, and goes on upwards.
    """

    def __init__(self, app: WsgiApp, directory: Path, server: str, run: str = "") -> None:
        self.app = app
        self.directory = directory
        self.headers = (("X-Lab-Server", server), *((("X-Lab-Run", run),) if run else ()))
        # Made by the first request of each process and not here: servers fork after (gunicorn --preload, uWSGI)
        # or before this runs, and uWSGI does not call the hooks of os.register_at_fork.
        self.table: Table | None = None
        self.opening = allocate_lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        table = self.table
        if table is None or not table.mine[0]:
            table = self._open_table()
        # Where the server promises one thread at a time, no lock is taken. Who promises nothing is not trusted.
        threaded = environ.get("wsgi.multithread", True)
        request = _Request(start_response, self.headers, table, threaded)
        if threaded:
            with table.lock:
                table.slots[IN_FLIGHT] += 1.0
        else:
            table.slots[IN_FLIGHT] += 1.0
        try:
            request.body = body = self.app(environ, request.start_response)
        except BaseException:
            request.fail()
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        # uWSGI's wrapper is a function that gives back the file as it was; the others' are classes.
        if wrapper and (isinstance(body, wrapper) if isinstance(wrapper, type) else hasattr(body, "fileno")):
            return _hand_over(body, request)
        if hasattr(body, "__len__"):
            return _Sized(request, len(cast(Sized, body)))
        return request

    def _open_table(self) -> Table:
        with self.opening:
            if self.table is None or not self.table.mine[0]:
                self.table = Table(self.directory)
            return self.table


class _Request:
    """One request under way, and the iterable that its server gets in place of the app's own."""

    __slots__ = ("body", "headers", "server_start_response", "slot", "started", "table", "threaded")

    def __init__(
        self, start_response: StartResponse, headers: tuple[tuple[str, str], ...], table: Table, threaded: bool
    ) -> None:
        self.server_start_response = start_response
        self.headers = headers
        self.table: Table | None = table
        """None once the request has ended."""
        self.threaded = threaded
        self.slot = _EXCEPTION_SLOT  # an app that never calls start_response has failed
        self.body: Any = None
        self.started = time.perf_counter()

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        # A status line without a number is the app's fault and counts as 500.
        self.slot = _CODE_SLOTS.get(status[:3], _EXCEPTION_SLOT)
        # A copy: the list is the app's, which may hand over the same one each time.
        headers = [*headers, *self.headers]
        if exc_info is None:
            return self.server_start_response(status, headers)
        return self.server_start_response(status, headers, exc_info)

    def __iter__(self) -> Iterator[bytes]:
        try:
            # Not `yield from`: stopped early, it would close the body, and the server's close() would do so again.
            for chunk in self.body:  # noqa: UP028
                yield chunk
        except GeneratorExit:  # the server stops early: its client has gone away
            raise
        except BaseException:
            self.fail()
            raise

    def close(self) -> None:
        """End the request, once, and close the app's own iterable as PEP 3333 asks."""
        body, self.body = self.body, ()
        try:
            if hasattr(body, "close"):
                body.close()
        except BaseException:
            self.fail()
            raise
        self.finish()

    def __del__(self) -> None:
        # Not every server closes every body: werkzeug's drops it when the client resets the connection
        # (run_wsgi reads what the client still sends before it closes, and that read fails).
        if self.table is not None:
            self.finish()

    def fail(self) -> None:
        self.slot = _EXCEPTION_SLOT
        self.finish()

    def finish(self) -> None:
        table, self.table = self.table, None
        if table is None:
            return
        if self.threaded:
            with table.lock:
                self._count(table.slots)
        else:
            self._count(table.slots)

    def _count(self, slots: memoryview) -> None:
        seconds = time.perf_counter() - self.started
        slots[self.slot] += 1.0
        slots[FIRST_BUCKET + bisect_left(BUCKET_EDGES_S, seconds)] += 1.0
        slots[DURATION_SUM] += seconds
        slots[IN_FLIGHT] -= 1.0


class _Sized:
    """A body whose app gave a list: servers set Content-Length where `len(body)` is 1."""

    __slots__ = ("length", "request")

    def __init__(self, request: _Request, length: int) -> None:
        self.request = request
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.request)

    def close(self) -> None:
        self.request.close()


def _hand_over(body: Any, request: _Request) -> Iterable[bytes]:
    """Return the server's own file object, with the request ending when it is closed.

    A server sends a file by itself (sendfile) only when it gets the very object that its file_wrapper gave out.
    """
    close = getattr(body, "close", None)

    def close_and_finish() -> None:
        request.body = None
        try:
            if close is not None:
                close()
        finally:
            request.finish()

    try:
        body.close = close_and_finish
    except (AttributeError, TypeError):  # a file of C (uWSGI): it cannot be watched, so it ends as it is handed over
        request.finish()
    return body  # type: ignore[no-any-return]
