"""Who hears what a measurement does while it does it: a progress bar, a log, a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsgilab.errors import LabError
from wsgilab.model.checkup import Checkup
from wsgilab.model.window import Window, WindowPlan


@dataclass(frozen=True)
class Outline:
    """What will be measured, and how long it will take."""

    command: str
    servers: tuple[str, ...]
    workload: str
    rates_rps: tuple[float, ...]
    """Empty where they are searched for."""
    rounds: int
    duration_s: float
    slo: str
    seed: int
    windows: int | None
    """How many there will be; None where a search decides."""
    takes_s: float
    """About how long it will take; a search, at most."""
    earlier: int = 0
    """How many windows a search that goes on has from before; `takes_s` is for the rest."""
    afterwards_s: float = 0.0
    """How much of that comes after the last window."""


class Listener:
    """Every method does nothing: override what you want to hear.

    All are called in the thread that measures, between two windows or before the first: one that takes long delays the
    next window, and one that raises ends the run.
    """

    def engine_chosen(self, engine: str, why: str) -> None:
        """Servers run in `engine`: `local` or `compose`."""

    def planned(self, outline: Outline) -> None:
        """What is going to be measured."""

    def window_started(self, plan: WindowPlan) -> None:
        """A window is about to be measured."""

    def window_measured(self, window: Window) -> None:
        """A window is over, and saved."""

    def round_ended(self, number: int, windows: Sequence[Window]) -> None:
        """Every window of round `number` is over. `windows`: all that were measured so far. A search has no rounds."""

    def checked_up(self, checkup: Checkup) -> None:
        """A server was asked each kind of request, without load."""

    def message(self, text: str) -> None:
        """What takes time now, in a sentence."""

    def warning(self, problem: LabError) -> None:
        """Something is odd, and the measurement goes on: what happened, the likely cause, the next command."""

    def output(self, line: str) -> None:
        """A line of a program that pulls, builds or starts containers."""


UNHEARD = Listener()
"""Nobody listens."""
