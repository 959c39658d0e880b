"""What no exporter can tell Prometheus, told by the runner once a second: what k6 uses, and how the run is going.

It is pushed, as k6's own metrics are: a runner comes and goes, in Compose under a new name each time, and a port of
its own would be one more thing that can be taken, reached by others, or reported as down.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence, Set
from types import TracebackType

from wsgilab.analysis.causes.slots import observe
from wsgilab.machine.cpus import pinned
from wsgilab.machine.http import NoAnswer
from wsgilab.measure.generator import Load
from wsgilab.measure.remote_write import STALE, Series, write
from wsgilab.model.server import Server
from wsgilab.model.window import Window

EVERY_S = 1.0
WORTH_SAYING = 3
"""Pushes that failed before a run says so: one may meet a moment in which everything is slow. Or the last one did: with
a name that is gone, each takes long to fail."""
RESULTS = ("valid", "void", "died")


class Telemetry:
    """Pushes to the Prometheus at `url` while its block lasts; without one it does nothing. It never fails a run."""

    def __init__(
        self,
        url: str | None,
        servers: Sequence[Server],
        server_cpus: int,
        load_cpus: Set[int],
        every_s: float = EVERY_S,
    ) -> None:
        self._url = url
        self._servers = {server.name: server for server in servers}
        self._slots = {server.name: server.slots for server in servers if server.slots is not None}
        self._windows: dict[str, list[Window]] = defaultdict(list)
        self._server_cpus = server_cpus
        self._load_cpus = load_cpus
        self._every_s = every_s
        self._generators: list[Load] = []
        self._others: dict[tuple[str, ...], Series] = {}
        self._results = dict.fromkeys(RESULTS, 0)
        self._pushed = 0
        self._failures: list[str] = []
        self._last_failed = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell_on, name="telemetry", daemon=True)

    def __enter__(self) -> Telemetry:
        if self._url:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._url:
            self._thread.join()
            self._tell(ended=True)

    def follow(self, generator: Load) -> None:
        """From now on this k6 is at work; those before it have ended."""
        self._generators.append(generator)

    def tell_too(self, series: Sequence[Series]) -> None:
        """From now on these are told as well; one of the same name and labels takes the place of the one before."""
        self._others |= {(one.name, *one.labels.values()): one for one in series}

    def count(self, window: Window) -> None:
        """A window is over."""
        self._results["died" if window.died else "void" if window.void else "valid"] += 1
        name = window.plan.server
        if window.void is None and name in self._slots:
            self._windows[name].append(window)
            # The dashboards' law is that of the report: with the same slots.
            count = observe(self._servers[name], self._windows[name], self._server_cpus).count
            self._slots[name] = count or self._slots[name]

    @property
    def lost(self) -> str | None:
        """How much of it Prometheus did not take, and why; None where that is not worth a word."""
        if len(self._failures) < WORTH_SAYING and not self._last_failed:
            return None
        return f"{len(self._failures)} of {self._pushed} times it did not take what it was sent: {self._failures[-1]}"

    def series(self) -> list[Series]:
        """All that there is to tell at this moment."""
        generators = list(self._generators)
        return [
            Series("runner_k6_cpu_seconds_total", sum(one.cpu_s for one in generators)),
            Series("runner_k6_wait_seconds_total", sum(one.wait_s for one in generators)),
            Series("runner_k6_cpus", max(1, len(self._load_cpus))),
            Series("runner_server_cpus", self._server_cpus),
            *(Series("runner_windows_total", count, {"result": result}) for result, count in self._results.items()),
            *(Series("runner_server_slots", slots, {"server": name}) for name, slots in self._slots.items()),
            *list(self._others.values()),
        ]

    def _tell_on(self) -> None:
        with pinned(self._load_cpus):  # not where servers are measured; it holds for this thread alone
            while not self._over.is_set():
                self._tell()
                self._over.wait(self._every_s)

    def _tell(self, *, ended: bool = False) -> None:
        series = [Series(one.name, STALE, one.labels) for one in self.series()] if ended else self.series()
        self._pushed += 1
        failure = _push(self._url or "", series)
        self._last_failed = failure is not None
        self._failures += [failure] if failure else []


def _push(url: str, series: Sequence[Series]) -> str | None:
    """Why Prometheus did not take it; None where it did."""
    try:
        write(url, series, time.time())
    except NoAnswer as error:
        return str(error)
    return None
