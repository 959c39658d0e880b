"""A witness inside each worker, for `./lab doctor --app-dir` alone: it tells what the worker saw of each request.

wsgi.py puts it around the application where LAB_WITNESS is set. It is never there when servers are measured. What it
tells stands in one header, X-Lab-Witness, as JSON: which worker it was, when the app began and had its answer, what the
server says about threads and processes, which client and which scheme it named, and how the app was imported.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import routes

if TYPE_CHECKING:
    from metrics import Environ, StartResponse, WsgiApp

HEADER = "X-Lab-Witness"
ROUTES = "/.wsgilab/routes"
"""Where the app's routes can be asked for."""
MOST_THREADS, LONGEST_NAME, LONGEST_ADDRESS = 8, 40, 60
"""Headers have to fit into a proxy's buffer."""
FORK_TIMEOUT_S = 2.0


class Importing:
    """Notes how long the app takes to be imported, and which threads it leaves running."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = set(threading.enumerate())

    def done(self) -> dict[str, Any]:
        """What there is to tell, as soon as the app is there."""
        took_s = time.monotonic() - self._began
        threads = _names(thread for thread in threading.enumerate() if thread not in self._before)
        survivors = _names_after_fork(self._before) if threads and not _patched() else None
        return {
            "process": os.getpid(),
            "took_s": round(took_s, 3),
            "threads": threads,
            "threads_after_fork": survivors,
        }


class Witness:
    """A WSGI app that passes everything on to `application`, and adds its statement to each answer."""

    def __init__(self, application: WsgiApp, app: Any, imported: dict[str, Any]) -> None:
        self.application = application
        self.app = app
        self.imported = imported

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, or say which routes the app has."""
        if environ.get("PATH_INFO") == ROUTES:
            return self._routes(start_response)
        held = _Held(start_response, environ, self.imported)
        body = self.application(environ, held.start_response)
        if held.said:
            held.pass_on()
            return body
        return _begun(body, held)  # a generator: it says its status as it gives its first piece

    def _routes(self, start_response: StartResponse) -> list[bytes]:
        body = json.dumps(routes.routes_of(self.app)).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


class _Held:
    """The app's status and headers, held back until its answer is there."""

    def __init__(self, start_response: StartResponse, environ: Environ, imported: dict[str, Any]) -> None:
        self._server_start_response = start_response
        self._environ = environ
        self._imported = imported
        self._client = str(environ.get("REMOTE_ADDR", ""))  # before the app corrects it
        self._cpu_s = time.thread_time()
        self._began_at = time.monotonic()
        self._passed = False
        self._write: Any = None
        self.said: tuple[str, Any, Any] | None = None

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        if self._passed:
            return self._server_start_response(status, headers, exc_info)
        self.said = (status, headers, exc_info)
        return self._write_through

    def pass_on(self) -> None:
        if self._passed or self.said is None:
            return
        status, headers, exc_info = self.said
        self._passed = True
        more = (exc_info,) if exc_info else ()
        self._write = self._server_start_response(status, [*headers, (HEADER, self._statement())], *more)

    def _write_through(self, data: bytes) -> None:
        self.pass_on()
        self._write(data)

    def _statement(self) -> str:
        answered_at, cpu_s = time.monotonic(), time.thread_time()
        return json.dumps(
            {
                "worker": os.getpid(),
                "began_at": self._began_at,
                "answered_at": answered_at,
                "cpu_s": round(cpu_s - self._cpu_s, 6),
                "threaded": bool(self._environ.get("wsgi.multithread")),
                "processes": bool(self._environ.get("wsgi.multiprocess")),
                "client": self._client[:LONGEST_ADDRESS],
                "forwarded_for": str(self._environ.get("HTTP_X_FORWARDED_FOR", ""))[:LONGEST_ADDRESS],
                "threads": [name for name in self._imported["threads"] if name in _names(threading.enumerate())],
                "memory_mb": _pss_mb(),
                "imported": self._imported,
            },
            separators=(",", ":"),
        )


def _begun(body: Iterable[bytes], held: _Held) -> Iterator[bytes]:
    try:
        pieces = iter(body)
        first = next(pieces, b"")
        held.pass_on()
        yield first
        yield from pieces
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


def _names(threads: Iterable[threading.Thread]) -> list[str]:
    """Each name once."""
    return list(dict.fromkeys(thread.name[:LONGEST_NAME] for thread in threads if thread.is_alive()))[:MOST_THREADS]


def _names_after_fork(before: set[threading.Thread]) -> list[str] | None:
    """The threads that run in a fork of this process, which a server that imports the app before it forks makes.

    None where the fork did not say.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python 3.12: there are threads, which is the question
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(_names(set(threading.enumerate()) - before)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    try:
        told = os.read(reader, 65_536) if select.select([reader], [], [], FORK_TIMEOUT_S)[0] else b""
        names: list[str] = json.loads(told)
    except ValueError:
        return None
    else:
        return names
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _patched() -> bool:
    """Whether threads are greenlets here, which live through a fork by other rules."""
    return "gevent" in sys.modules


def _pss_mb() -> float | None:
    """Resident memory of this process, each shared page divided by the number of processes that share it."""
    try:
        with open("/proc/self/smaps_rollup", "rb") as file:
            sizes = [int(line.split()[1]) for line in file if line.startswith(b"Pss:")]
    except OSError:
        return None
    return round(sizes[0] * 1024 / 1e6, 1) if sizes else None
