"""What the generator's floor means for the windows of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from wsgilab.model import words
from wsgilab.model.floor import Floor
from wsgilab.model.interval import Interval
from wsgilab.model.slo import FIGURE_OF, Slo


def broken_by(floor: Floor, objective: Slo) -> str | None:
    """Why no window at this rate can be judged by the objective: the floor alone breaks it. None where it does not."""
    for metric, bound_ms in objective.terms:
        taken_ms = floor.figures.get(FIGURE_OF[metric])
        if taken_ms is not None and taken_ms >= bound_ms:
            took = f"{metric} {words.duration(Interval(taken_ms))} against nginx's own answer"
            return f"k6, the connection and this machine alone take {took}, and the bound is {bound_ms:g} ms"
    return None


def least(floors: Iterable[Floor]) -> Floor | None:
    """The lowest of several that were measured at one rate: a disturbance only adds to it."""
    return min(floors, key=lambda floor: floor.figures.get("p99_ms", float("inf")), default=None)
