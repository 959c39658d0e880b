"""What the metrics middleware costs: microseconds per request, and the share of a server's capacity.

    python benchmarks/middleware.py [--json]

Wrapped and bare take turns within one run, so that a change of the machine's mood meets both. Each figure is the median
over rounds of the difference within a round, with the 95 % interval of that median. CPU time is compared, which is what
capacity is made of.

Behind gunicorn a turn is many requests, and the next ones always wait in the backlog. A server at its capacity is like
that: it never sleeps and serves one kind of request with warm caches. The worker has a CPU for itself, as in the lab.
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
from dataclasses import asdict, dataclass
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
NAMED = {"HTTP_X_LAB_REQUEST": "7"}
"""What k6 sends along where the traffic has names: the middleware reads the thread's CPU clock twice then."""
WsgiApp = Callable[..., Iterable[bytes]]


@dataclass(frozen=True)
class Spread:
    """A median over rounds, with its 95 % interval."""

    low: float
    value: float
    high: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """From order statistics (Conover, Practical Nonparametric Statistics, section 3.2): no distribution assumed."""
        ordered = sorted(figures)
        half_width = 0.98 * len(ordered) ** 0.5
        low, high = int(len(ordered) / 2 - half_width), int(len(ordered) / 2 + half_width)
        return cls(ordered[low], statistics.median(ordered), ordered[high])


@dataclass(frozen=True)
class Served:
    """What the middleware costs a busy server."""

    cpu_us: Spread
    added_us: Spread
    share: Spread
    share_of_nothing: Spread
    """The same procedure with nothing wrapped: what the method itself makes out of noise."""


def main() -> int:
    parser = argparse.ArgumentParser(description="What the metrics middleware costs.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    as_json = parser.parse_args().json
    figures = measure()
    if as_json:
        print(json.dumps({name: asdict(figure) for name, figure in figures.items()}, indent=2))
    else:
        for name, figure in figures.items():
            print(f"{name:44} {figure.value:8.2f} ({figure.low:.2f} to {figure.high:.2f})")
        print(f"limits: {LIMIT_US} µs per request, {LIMIT_SHARE:.0%} of the default workload's capacity")
    return 0


def measure() -> dict[str, Spread]:
    """Microseconds and percentages by what was measured."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        empty_us = in_process(_empty_app, Path(directory), {}, rounds=401, calls=200)
        hello_us = in_process(lab_app, Path(directory), _environ("/"), rounds=1001, calls=20)
        named_us = in_process(_empty_app, Path(directory), NAMED, rounds=401, calls=200)
        named_hello_us = in_process(lab_app, Path(directory), _environ("/") | NAMED, rounds=1001, calls=20)
    mix = behind_gunicorn("/mix?io=0", rounds=201, calls=20)
    hello = behind_gunicorn("/", rounds=201, calls=100)
    return {
        "cost of one request, us": empty_us,
        "cost of one request around Flask, us": hello_us,
        "cost of one named request, us": named_us,
        "cost of one named request around Flask, us": named_hello_us,
        **_named("mix", mix),
        **_named("hello", hello),
    }


def _named(workload: str, served: Served) -> dict[str, Spread]:
    return {
        f"gunicorn's CPU per {workload}, us": served.cpu_us,
        f"cost of one {workload} behind gunicorn, us": served.added_us,
        f"share of {workload} behind gunicorn, %": served.share,
        f"  bare {workload} against bare, %": served.share_of_nothing,
    }


def in_process(app: WsgiApp, directory: Path, environ: dict[str, Any], *, rounds: int, calls: int) -> Spread:
    """Microseconds that wrapping adds to a call of `app`."""
    wrapped = Middleware(app, directory, "benchmark")

    def bare_s() -> float:
        return _cpu_s(lambda: _call(app, environ), calls)

    def wrapped_s() -> float:
        return _cpu_s(lambda: _call(wrapped, environ), calls)

    pairs = [_in_turns(bare_s, wrapped_s, first=number % 2) for number in range(rounds)]
    return Spread.of((wrapped - bare) / calls * 1e6 for bare, wrapped in pairs)


def behind_gunicorn(path: str, *, rounds: int, calls: int) -> Served:
    """What wrapping adds to a real `gunicorn -w 1` that always has the next request waiting.

    One process serves both (switch.py): two of the same kind differ by more than what is looked for.
    """
    with gunicorn("switch:application", 1, exporter=False, health="/bare/health") as server:
        (worker,) = server.workers()
        _separate(worker)

        def cpu_s(prefix: str) -> float:
            before = _cpu_of(worker)
            keep_busy(server.port, prefix + path, calls)
            return _cpu_of(worker) - before

        def bare_s() -> float:
            return cpu_s("/bare")

        cpu_s("/wrapped")
        same = [_in_turns(bare_s, bare_s, number % 2) for number in range(rounds)]
        pairs = [_in_turns(bare_s, lambda: cpu_s("/wrapped"), number % 2) for number in range(rounds)]
    return Served(
        cpu_us=Spread.of(bare / calls * 1e6 for bare, _ in pairs),
        added_us=Spread.of((wrapped - bare) / calls * 1e6 for bare, wrapped in pairs),
        share=Spread.of(100 * (wrapped / bare - 1) for bare, wrapped in pairs),
        share_of_nothing=Spread.of(100 * (second / first - 1) for first, second in same),
    )


def _separate(worker: int) -> None:
    """Give the worker a CPU and us, who ask it, another one."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(worker, cpus[:1])
        os.sched_setaffinity(0, cpus[1:])


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
