"""What the metrics middleware costs: microseconds per request, and the share of a server's capacity.

    python benchmarks/middleware.py [--json]

Wrapped and bare take turns within one run, so that a change of the machine's mood meets both. Each figure is the median
over rounds of the difference within a round. CPU time is compared, which is what capacity is made of.

Behind gunicorn a turn is a few hundred requests, and the next ones always wait in the backlog. A server at its capacity
is like that: it never sleeps and serves one kind of request with warm caches. (Until then a turn was 20 requests, one
at a time: the worker slept before each, woke up to cold caches, and each turn began in the other kind's.)
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "services" / "serve"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "services" / "app"))

from app import app as lab_app
from metrics import Middleware
from real_server import gunicorn, keep_busy
from werkzeug.test import EnvironBuilder
from werkzeug.wsgi import ClosingIterator

LIMIT_US, LIMIT_SHARE = 10.0, 0.02
WsgiApp = Callable[..., Iterable[bytes]]


@dataclass(frozen=True)
class Served:
    """What the middleware costs a busy server."""

    cpu_us: float
    added_us: float
    share: float
    quartiles: tuple[float, float]
    share_of_nothing: float
    """The same procedure with nothing wrapped: what the method itself makes out of noise."""


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
    served = behind_gunicorn("/", rounds=41, calls=300)
    mix = behind_gunicorn("/mix?io=0", rounds=41, calls=60)
    return {
        "cost of one request, us": empty_us,
        "cost of one request around Flask, us": hello_us,
        "share of hello in process, %": 100 * hello_share,
        "share of mix (2 ms CPU) in process, %": 100 * mix_share,
        "gunicorn's CPU per mix, us": mix.cpu_us,
        "share of mix behind gunicorn, %": 100 * mix.share,
        "  a quarter of its rounds below, %": 100 * mix.quartiles[0],
        "  a quarter of its rounds above, %": 100 * mix.quartiles[1],
        "  bare mix against bare, %": 100 * mix.share_of_nothing,
        "gunicorn's CPU per hello, us": served.cpu_us,
        "cost of one request behind gunicorn, us": served.added_us,
        "share of hello behind gunicorn, %": 100 * served.share,
        "  a quarter of the rounds below, %": 100 * served.quartiles[0],
        "  a quarter of the rounds above, %": 100 * served.quartiles[1],
        "  bare against bare, %": 100 * served.share_of_nothing,
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


def behind_gunicorn(path: str, *, rounds: int, calls: int) -> Served:
    """What wrapping adds to a real `gunicorn -w 1` that always has the next request waiting.

    One process serves both (switch.py): two of the same kind differ by more than what is looked for.
    """
    with gunicorn("switch:application", 1, exporter=False, health="/bare/health") as server:
        (worker,) = server.workers()

        def cpu_s(prefix: str) -> float:
            before = _cpu_of(worker)
            keep_busy(server.port, prefix + path, calls)
            return _cpu_of(worker) - before

        def bare_s() -> float:
            return cpu_s("/bare")

        cpu_s("/wrapped")
        same = [_in_turns(bare_s, bare_s, number % 2) for number in range(rounds)]
        pairs = [_in_turns(bare_s, lambda: cpu_s("/wrapped"), number % 2) for number in range(rounds)]
    shares = [wrapped / bare - 1 for bare, wrapped in pairs]
    low, middle, high = statistics.quantiles(shares, n=4)
    return Served(
        cpu_us=statistics.median(bare for bare, _ in pairs) / calls * 1e6,
        added_us=statistics.median(wrapped - bare for bare, wrapped in pairs) / calls * 1e6,
        share=middle,
        quartiles=(low, high),
        share_of_nothing=statistics.median(second / first for first, second in same) - 1,
    )


def _cpu_of(pid: int) -> float:
    """CPU seconds of another process, to the nanosecond: its clock's number as in Linux' posix-timers_types.h."""
    return time.clock_gettime(~pid << 3 | 2)


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
