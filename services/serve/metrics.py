"""WSGI middleware that counts and times every request of any WSGI app, at about four microseconds each.

It counts in a table that each worker process has for itself: see table.py.
"""

from __future__ import annotations

import copy
import itertools
import time
from _thread import allocate_lock, get_ident
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from table import (
    BUCKET_EDGES_S,
    DURATION_SUM,
    FIRST_BUCKET,
    FIRST_CODE,
    FIRST_NAMED,
    HIGHEST_CODE,
    LOWEST_CODE,
    NAMED_FIGURES,
    NAMES,
    Table,
)

_CODE_SLOTS = {str(code): FIRST_CODE + code - LOWEST_CODE for code in range(LOWEST_CODE, HIGHEST_CODE + 1)}
_EXCEPTION_SLOT = _CODE_SLOTS["500"]
_NAMED_SLOTS = {str(number): FIRST_NAMED + number * NAMED_FIGURES for number in range(NAMES)}
_NAME = "HTTP_X_LAB_REQUEST"
"""The header in which the load generator says of which name a request is, by its number. The app does not see it."""

_PREFIX = "x-lab-"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class Middleware:
    """A WSGI app that passes everything on to `app`, says who answered, and records each request in `directory`.

    `X-Lab-Server` names the server, `X-Lab-Run` the run that started it, where one did: a client can tell its own
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
        """Serve one request as the app does, and count it."""
        table = self.table
        if table is None or not table.mine[0]:
            table = self._open_table()
        # Where the server promises one thread at a time, no lock is taken. Who promises nothing is not trusted.
        threaded = environ.get("wsgi.multithread", True)
        request = _Request(start_response, self.headers, table, threaded)
        if (number := environ.pop(_NAME, None)) is not None:
            request.name(number)
        if threaded:
            with table.lock:
                table.enter()
        else:
            table.enter()
        try:
            request.body = body = self.app(environ, request.start_response)
        except BaseException:
            request.fail()
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        # uWSGI's wrapper is a function that gives back the file as it was; the others' are classes.
        if wrapper and (isinstance(body, wrapper) if isinstance(wrapper, type) else hasattr(body, "fileno")):
            return _hand_over(body, request)
        return _Sized(request) if hasattr(body, "__len__") else request

    def _open_table(self) -> Table:
        with self.opening:
            if self.table is None or not self.table.mine[0]:
                self.table = Table(self.directory)
            return self.table


class _Request:
    """One request under way, and the iterable that its server gets in place of the app's own."""

    __slots__ = (
        "body", "cpu_started", "headers", "named_slot", "server_start_response", "slot", "started", "table", "thread",
        "threaded",
    )  # fmt: skip

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
        self.named_slot = 0
        """Where the figures of its name begin; 0: it has none."""
        self.started = time.perf_counter()

    def name(self, number: str) -> None:
        """Count this request under a name as well, whose number the load generator gave."""
        self.named_slot = _NAMED_SLOTS.get(number, 0)
        self.thread = get_ident()
        self.cpu_started = time.thread_time()

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        # A status line without a number, or none at all, is the app's fault and counts as 500.
        try:
            self.slot = _CODE_SLOTS.get(status[:3], _EXCEPTION_SLOT)
        except TypeError:
            self.slot = _EXCEPTION_SLOT
        # A copy: the list is the app's, which may hand over the same one each time.
        if type(headers) is list and not _needs_care(headers):
            headers = [*headers, *self.headers]
        else:
            headers = _extended(headers, self.headers)
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
        # A child that the app forked may come back through here as well: the request is its parent's.
        if table is None or not table.mine[0]:
            return
        if self.threaded:
            with table.lock:
                self._count(table)
        else:
            self._count(table)

    def _count(self, table: Table) -> None:
        seconds = time.perf_counter() - self.started
        slots = table.slots
        slots[self.slot] += 1.0
        slots[FIRST_BUCKET + bisect_left(BUCKET_EDGES_S, seconds)] += 1.0
        slots[DURATION_SUM] += seconds
        table.inside -= 1
        if self.named_slot and self.thread == get_ident():
            self._count_by_name(table, seconds)

    def _count_by_name(self, table: Table, seconds: float) -> None:
        slots, first = table.slots, self.named_slot
        slots[first] += 1.0
        slots[first + 1] += seconds
        if table.one_a_thread:
            slots[first + 2] += time.thread_time() - self.cpu_started


class _Sized:
    """A body whose app gave a list: servers set Content-Length where `len(body)` is 1."""

    __slots__ = ("request",)

    def __init__(self, request: _Request) -> None:
        self.request = request

    def __len__(self) -> int:
        # Asked only when the server asks: a length that raises must do so where the server is ready for it.
        return len(self.request.body)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.request)

    def close(self) -> None:
        self.request.close()


def _needs_care(headers: list[tuple[str, str]]) -> bool:
    """Whether one of the headers is called as the lab's own are, or is no pair of texts at all."""
    try:
        for name, _ in headers:
            if name[0] in "Xx" and name[:6].lower() == _PREFIX:
                return True
    except (LookupError, TypeError, ValueError):
        return True
    return False


def _extended(headers: Any, ours: tuple[tuple[str, str], ...]) -> Any:
    """The headers of an app that does not keep to PEP 3333, or uses the lab's names, with the lab's own in their place.

    A server may refuse what is not a list, and is to do so here as it does without the lab: the kind of thing stays.
    """
    if not isinstance(headers, Iterable):
        return headers
    others = (pair for pair in headers if not _is_one_of(ours, pair))
    if isinstance(headers, list):
        extended = copy.copy(headers)
        extended[:] = [*others, *ours]
        return extended
    return (*others, *ours) if isinstance(headers, tuple) else itertools.chain(others, ours)


def _is_one_of(ours: tuple[tuple[str, str], ...], pair: Any) -> bool:
    try:
        return pair[0].lower() in [name.lower() for name, _ in ours]
    except (AttributeError, LookupError, TypeError):
        return False


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
