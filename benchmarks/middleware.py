"""What the metrics middleware costs: microseconds per request, and the share of a server's capacity.

    python benchmarks/middleware.py [--json]

Wrapped and bare take turns within one run, every few milliseconds, so that a change of the machine's mood meets both.
Each figure is the median over rounds of the difference within a round. CPU time is compared, which is what capacity is
made of.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "services" / "serve"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "services" / "app"))

from app import app as lab_app
from metrics import Middleware
from proctree import ProcessTree
from real_server import gunicorn
from werkzeug.test import EnvironBuilder
from werkzeug.wsgi import ClosingIterator

LIMIT_US, LIMIT_SHARE = 10.0, 0.02
WsgiApp = Callable[..., Iterable[bytes]]


def main() -> int:
    parser = argparse.ArgumentParser(description="What the metrics middleware costs.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    as_json = parser.parse_args().json
    figures = measure()
    if as_json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:44} {value:8.2f}")
        print(f"limits: {LIMIT_US} µs per request, {LIMIT_SHARE:.0%} of capacity")
    return 0


def measure() -> dict[str, float]:
    """Microseconds and percentages by what was measured."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        empty_us, _ = in_process(_empty_app, Path(directory), {}, rounds=401, calls=200)
        hello_us, hello_share = in_process(lab_app, Path(directory), _environ("/"), rounds=401, calls=20)
        _, mix_share = in_process(lab_app, Path(directory), _environ("/mix?io=0"), rounds=101, calls=2)
    served_us, served_share = behind_gunicorn("/", rounds=301, calls=20)
    return {
        "cost of one request, us": empty_us,
        "cost of one request around Flask, us": hello_us,
        "share of hello in process, %": 100 * hello_share,
        "share of mix (2 ms CPU) in process, %": 100 * mix_share,
        "gunicorn's CPU per hello, us": served_us,
        "share of hello behind gunicorn, %": 100 * served_share,
        "the same, cost over gunicorn's CPU, %": 100 * hello_us / served_us,
    }


def in_process(
    app: WsgiApp, directory: Path, environ: dict[str, Any], *, rounds: int, calls: int
) -> tuple[float, float]:
    """Microseconds that wrapping adds to a call of `app`, and the same as a share of the bare call."""
    wrapped = Middleware(app, directory, "benchmark")

    def bare_s() -> float:
        return _cpu_s(lambda: _call(app, environ), calls)

    def wrapped_s() -> float:
        return _cpu_s(lambda: _call(wrapped, environ), calls)

    pairs = [_in_turns(bare_s, wrapped_s, first=number % 2) for number in range(rounds)]
    added_us = statistics.median((wrapped - bare) / calls * 1e6 for bare, wrapped in pairs)
    return added_us, statistics.median(wrapped / bare for bare, wrapped in pairs) - 1


def behind_gunicorn(path: str, *, rounds: int, calls: int) -> tuple[float, float]:
    """CPU microseconds per request of a real `gunicorn -w 1`, and the share that wrapping adds.

    One process serves both (switch.py): two of the same kind differ by more than what is looked for.
    """
    with gunicorn("switch:application", 1, exporter=False, health="/bare/health") as server:
        tree = ProcessTree(server.pid)

        def cpu_s(prefix: str) -> float:
            before = tree.read().cpu_s
            for _ in range(calls):
                server.get(prefix + path)
            return tree.read().cpu_s - before

        pairs = [_in_turns(lambda: cpu_s("/bare"), lambda: cpu_s("/wrapped"), number % 2) for number in range(rounds)]
    bare_us = statistics.median(bare for bare, _ in pairs) / calls * 1e6
    return bare_us, statistics.median(wrapped / bare for bare, wrapped in pairs) - 1


def _in_turns(bare: Callable[[], float], wrapped: Callable[[], float], first: int) -> tuple[float, float]:
    """Both, the one or the other first; whoever comes second finds warmer caches."""
    if first == 0:
        bare_s = bare()
        return bare_s, wrapped()
    wrapped_s = wrapped()
    return bare(), wrapped_s


def _cpu_s(call: Callable[[], None], calls: int) -> float:
    started = time.thread_time()
    for _ in range(calls):
        call()
    return time.thread_time() - started


def _call(app: WsgiApp, environ: dict[str, Any]) -> None:
    body = app(dict(environ), _start_response)
    for _ in body:
        pass
    body.close()  # type: ignore[attr-defined]


def _start_response(_status: str, _headers: list[tuple[str, str]], _exc_info: object = None) -> None:
    """What a server would send."""


def _empty_app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return ClosingIterator([b"ok"])


def _environ(path: str) -> dict[str, Any]:
    return EnvironBuilder(path=path).get_environ()


if __name__ == "__main__":
    os.environ.setdefault("LAB_SERVER", "benchmark")
    sys.exit(main())
