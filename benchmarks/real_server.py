"""A real gunicorn for the benchmarks: started, asked, measured, and ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVE = ROOT / "services" / "serve"
READY_S = 60.0


@dataclass(frozen=True)
class Gunicorn:
    """A running gunicorn; `exporter_port` answers only where it was started with one."""

    pid: int
    port: int
    exporter_port: int

    def get(self, path: str) -> None:
        """One request on a connection of its own. Raises OSError when it fails."""
        _get(self.port, path)

    def metrics(self) -> str:
        return _get(self.exporter_port, "/metrics").decode()

    def workers(self) -> set[int]:
        """Process numbers of the workers."""
        return set(map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()))


@contextlib.contextmanager
def gunicorn(app: str, workers: int, *, exporter: bool, health: str = "/health") -> Iterator[Gunicorn]:
    """Serve `app` of services/app with that many sync workers until the block ends."""
    port, exporter_port = _free_port(), _free_port()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as run_dir:
        command = ["gunicorn", "-w", str(workers), "--no-control-socket", "-b", f"127.0.0.1:{port}", app]
        process = subprocess.Popen(
            [SERVE / "entrypoint.sh", *command] if exporter else command,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": f"{SERVE}:{ROOT / 'services' / 'app'}:{ROOT / 'benchmarks'}",
                "LAB_SERVER": "benchmark",
                "LAB_APP_DIR": str(ROOT / "services" / "app"),
                "LAB_RUN_DIR": run_dir,
                "LAB_EXPORTER_HOST": "127.0.0.1",
                "LAB_EXPORTER_PORT": str(exporter_port),
            },
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        server = Gunicorn(process.pid, port, exporter_port)
        try:
            wait_for_answers(lambda: server.get(health))
            if exporter:
                wait_for_answers(server.metrics)
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def keep_busy(port: int, path: str, requests: int, ahead: int = 8) -> None:
    """So many requests, each on a connection of its own, of which `ahead` are always open. Raises OSError."""
    question = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    waiting: deque[socket.socket] = deque()
    for _ in range(requests):
        if len(waiting) == ahead:
            _finish(waiting.popleft())
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(question)
        waiting.append(connection)
    while waiting:
        _finish(waiting.popleft())


def _finish(connection: socket.socket) -> None:
    with connection:
        answer = connection.recv(65536)
        while connection.recv(65536):
            pass
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(answer[:80])


def wait_for_answers(ask: Callable[[], object]) -> None:
    """Ask until there is an answer. Raises the last OSError after a minute."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            ask()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(repr(error)) from error
    finally:
        connection.close()
    if response.status != 200:
        raise ConnectionError(f"HTTP {response.status} for {path}")
    return body


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
