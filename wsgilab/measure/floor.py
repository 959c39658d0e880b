"""The generator's floor: what it sees at each rate of a run where the answer takes no time.

k6 asks nginx for a fixed answer, over a connection of its own for each request, as it asks the servers. What that takes
is not the servers': k6's own scheduling, the handshake, the kernel, and everything else on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


def measure_floors(
    rates_rps: Sequence[float], generator: LoadGenerator, engine: Engine, objective: Slo, stop: Stop
) -> tuple[tuple[Floor, ...], str | None]:
    """(the floor at each rate, why it is not known; None where it is). It fails no run: servers need no floor."""
    if not rates_rps:  # of a search nobody knows them beforehand
        return (), None
    try:
        with engine.fixed_answer() as at:
            found = [least(_tries(rate_rps, generator, at, objective, stop)) for rate_rps in rates_rps]
    except LabError as error:
        return (), f"{error.what.splitlines()[0].rstrip('.')} ({error.cause})"
    return tuple(floor for floor in found if floor), None


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
