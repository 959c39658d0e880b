"""A real server with the middleware and its exporter, started as a container starts it, for the tests of both."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support import ROOT

from wsgilab.machine.ports import free_port

SERVE = ROOT / "services" / "serve"
APP = """
import os, time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fails":
        raise RuntimeError("as asked")
    if path == "/exits":
        os._exit(7)
    if path == "/waits":
        time.sleep(float(os.environ["WAITS_S"]))
    start_response("404 Not Found" if path == "/nope" else "200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
GUNICORN = f"gunicorn -w 3 -b 127.0.0.1:{{port}} -c {ROOT}/services/gunicorn/gunicorn.conf.py wsgi:application"
UWSGI = (
    "uwsgi --module wsgi:application --master --need-app --die-on-term --enable-threads --lazy-apps --thunder-lock "
    "--processes 3 --threads 2 --http11-socket 127.0.0.1:{port} --stats {run_dir}/uwsgi-stats.sock"
)
UWSGI_FORKING_LATE = UWSGI.replace("--lazy-apps ", "")
SERVERS = {
    "dev": "flask --app wsgi:flask_app run --port {port}",
    "gunicorn": GUNICORN,
    "gunicorn preloading": GUNICORN.replace("-w 3", "-w 3 --preload"),
    "gthread": GUNICORN.replace("-w 3", "-w 2 -k gthread --threads 4"),
    "gevent": GUNICORN.replace("-w 3", "-w 2 -k gevent"),
    "uwsgi": UWSGI,
    "uwsgi forking late": UWSGI_FORKING_LATE,
    "waitress": "waitress-serve --listen 127.0.0.1:{port} wsgi:application",
    "granian": "granian --interface wsgi --host 127.0.0.1 --port {port} --workers 2 wsgi:application",
}
Value = TypeVar("Value")


@dataclass(frozen=True)
class Running:
    """A server that entrypoint.sh has become, and its exporter."""

    process: subprocess.Popen[bytes]
    url: str
    exporter_port: int
    log: Path

    def get(self, path: str = "/") -> int:
        """The status, 0 when the connection failed."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def metrics(self) -> dict[str, float]:
        """Every sample, keyed as it stands in the text: `name` or `name{label="value"}`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.exporter_port}/metrics", timeout=10) as response:
            text = response.read().decode()
        families = text_string_to_metric_families(text)
        return {
            sample_key(sample.name, sample.labels): sample.value for family in families for sample in family.samples
        }

    def workers(self) -> list[int]:
        """Child processes of the server."""
        return children(self.process.pid)


def sample_key(name: str, labels: dict[str, str]) -> str:
    pairs = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{pairs}}}" if pairs else name


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(reading: Callable[[], Value], holds: Callable[[Value], bool], what: str, within_s: float = 20) -> Value:
    """The first reading that holds. Fails with the last one otherwise."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            last: Value | OSError = reading()
            if holds(last):
                return last
        except OSError as error:
            last = error
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {within_s:.0f} s; last: {last!r}")
        time.sleep(0.05)


def wait_until_it_serves(running: Running, command: str) -> None:
    """Fails with what the server wrote."""
    try:
        until(lambda: running.get("/nope"), lambda status: status == 404, f"{command} serves")
        until(running.metrics, lambda _: True, "the exporter answers")
    except pytest.fail.Exception as failed:
        pytest.fail(f"{failed}\n{running.log.read_text(errors='replace')}")


@contextlib.contextmanager
def serving(command: str, directory: Path, **environment: str) -> Iterator[Running]:
    (directory / "app").mkdir()
    (directory / "app" / "app.py").write_text(APP)
    run_dir, port, exporter_port = directory / "run", free_port(), free_port()
    run_dir.mkdir()
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [SERVE / "entrypoint.sh", *command.format(port=port, run_dir=run_dir).split()],
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": str(SERVE),
                "PYTHONDONTWRITEBYTECODE": "1",
                "LAB_SERVER": "tested",
                "LAB_APP_DIR": str(directory / "app"),
                "LAB_RUN_DIR": str(run_dir),
                "LAB_EXPORTER_HOST": "127.0.0.1",
                "LAB_EXPORTER_PORT": str(exporter_port),
                "WAITS_S": "1",
                **environment,
            },
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(process, f"http://127.0.0.1:{port}", exporter_port, log)
    try:
        wait_until_it_serves(running, command)
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):  # the exporter is in this group, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
