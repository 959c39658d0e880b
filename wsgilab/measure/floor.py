"""The generator's floor: what it sees at each rate of a run where the answer takes no time.

k6 asks nginx for a fixed answer, over connections as it asks the servers. What that takes
is not the servers': k6's own scheduling, the handshake, the kernel, and everything else on the machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from wsgilab.analysis import stats
from wsgilab.analysis.floor import broken_by, least
from wsgilab.engines import Endpoint, Engine
from wsgilab.errors import LabError
from wsgilab.machine.waiting import Stop
from wsgilab.measure.generator import LoadGenerator
from wsgilab.model.floor import Floor
from wsgilab.model.metrics import TABLE
from wsgilab.model.slo import Slo
from wsgilab.model.window import Window, WindowPlan

SERVER, PATH = "nginx", "/floor"
"""How it calls itself in X-Lab-Server, and the address of its fixed answer: services/nginx/nginx.conf."""
DURATION_S = 1.5
WINDOW_S = 2.4
"""What such a window takes in all."""
LEAST_RPS = 20.0
"""A lower rate has the floor of this one, whose window has a few requests at least."""
TIMEOUT_S, GRACE_S = 2.0, 1.0
MOST_TRIES = 3


class Floors:
    """The floor at each rate that is asked for. It fails no run: servers need no floor."""

    def __init__(self, generator: LoadGenerator, objective: Slo, stop: Stop) -> None:
        self._generator = generator
        self._objective = objective
        self._stop = stop
        self._at: Endpoint | None = None
        self._found: dict[float, Floor] = {}
        self.unknown = ""
        """Why some floor is not known; empty where all are."""

    @property
    def found(self) -> tuple[Floor, ...]:
        """What was measured so far, by ascending rate."""
        return tuple(self._found[rate] for rate in sorted(self._found))

    @contextmanager
    def asking(self, engine: Engine) -> Iterator[None]:
        """While the block lasts, nginx can be asked, if it is at hand."""
        with ExitStack() as stack:
            try:
                self._at = stack.enter_context(engine.fixed_answer())
            except LabError as error:
                self._gave_up(error)
            yield
        self._at = None

    def measure(self, rate_rps: float) -> None:
        """Learn the floor at this rate, where that can be."""
        if self._at is None or rate_rps in self._found:
            return
        try:
            floor = least(_tries(rate_rps, self._generator, self._at, self._objective, self._stop))
        except LabError as error:
            self._gave_up(error)
        else:
            self._found |= {rate_rps: floor} if floor else {}

    def hopeless(self, rate_rps: float) -> str | None:
        """Why no window at this rate can be judged; None where it can, or nothing tells.

        A search meets rates that nobody knew beforehand: their floor is measured as they come, at the next power of 2.
        """
        if rate_rps not in self._found:
            rate_rps = 2.0 ** math.ceil(math.log2(max(rate_rps, LEAST_RPS)))
            self.measure(rate_rps)
        return broken_by(self._found[rate_rps], self._objective) if rate_rps in self._found else None

    def _gave_up(self, error: LabError) -> None:
        self._at = None
        self.unknown = f"{error.what.splitlines()[0].rstrip('.')} ({error.cause})"


@contextmanager
def floors_at(
    rates_rps: Sequence[float], generator: LoadGenerator, engine: Engine, objective: Slo, stop: Stop
) -> Iterator[Floors]:
    """The floors at these rates, known before the block begins; without rates, at those that the block asks for."""
    floors = Floors(generator, objective, stop)
    if rates_rps:
        with floors.asking(engine):
            for rate_rps in rates_rps:
                floors.measure(rate_rps)
        yield floors
        return
    with floors.asking(engine):
        yield floors


def _tries(rate_rps: float, generator: LoadGenerator, at: Endpoint, objective: Slo, stop: Stop) -> Iterator[Floor]:
    """One window; more where the floor breaks the objective, for a hiccup must not void all windows of a rate."""
    for _ in range(MOST_TRIES):
        floor = _measure(rate_rps, generator, at, stop)
        yield floor
        if not broken_by(floor, objective):
            return


def _measure(rate_rps: float, generator: LoadGenerator, at: Endpoint, stop: Stop) -> Floor:
    """Raises LabError where the generator hands over nothing."""
    plan = WindowPlan(SERVER, PATH, max(rate_rps, LEAST_RPS), 0, 0, 0.0, DURATION_S, TIMEOUT_S, GRACE_S)
    with generator.start(plan, at) as load:
        while not load.poll():
            stop.wait(0.05)
        window = Window(plan, load.result(), None)
    figures = {
        metric.key: round(figure.value, 3)
        for metric in TABLE
        if metric.percentile is not None and (figure := stats.percentile_ms(window, metric.percentile))
    }
    return Floor(rate_rps, figures)
