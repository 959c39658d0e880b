"""What is being measured, and how long the rest will take: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from wsgilab.model.window import WindowPlan

OVERHEAD_S = 2.6
"""What a window takes beside warm-up and measured part, on the average of a default run: about 1 s where all is
answered, 4 s where the server is late and started anew."""


def estimate_s(plans: Sequence[WindowPlan]) -> float:
    """About how long these windows will take, in seconds."""
    return sum(plan.warmup_s + plan.duration_s + OVERHEAD_S for plan in plans)


class Announcer:
    """Announces each window as it starts, with the time that is left."""

    unit = ""

    def __init__(self, console: Console, total: int | None) -> None:
        self._console = console
        self._total = total
        self._started = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def announce(self, plan: WindowPlan) -> None:
        """A window is about to be measured."""
        what = f"{plan.server}, {plan.workload} at {plan.rate_rps:g} rps, {self.unit} {plan.round}"
        left = f"{self.left(plan.order)} left"
        if self._console.is_terminal:
            self._bar.update(self._task, completed=plan.order, description=f"{what} · {left}")
            return
        total = f"/{self._total}" if self._total else ""
        self._console.print(f"[{plan.order + 1}{total}] {what} ({left})", markup=False, highlight=False)

    def left(self, done: int) -> str:
        """How long the rest will take after `done` windows, in words."""
        raise NotImplementedError

    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started


class RunProgress(Announcer):
    """Of windows that are all known; corrects the time left by what the windows before took."""

    unit = "round"

    def __init__(self, console: Console, plans: Sequence[WindowPlan]) -> None:
        super().__init__(console, len(plans))
        self._plans = list(plans)

    def left(self, done: int) -> str:
        """The rest of the plan."""
        rest = estimate_s(self._plans[done:])
        if done:
            rest *= self.elapsed_s() / estimate_s(self._plans[:done])
        return f"about {minutes(rest)}"


class SearchProgress(Announcer):
    """Of a search, which ends when it knows enough, or when its time is up."""

    unit = "try"

    def __init__(self, console: Console, at_most_s: float) -> None:
        super().__init__(console, None)
        self._at_most_s = at_most_s

    def left(self, done: int) -> str:  # noqa: ARG002 - how many were measured says nothing about a search
        """The rest of the budget."""
        return f"at most {minutes(max(0.0, self._at_most_s - self.elapsed_s()))}"


def minutes(seconds: float) -> str:
    """`2 min 10 s`, in steps of 5 s."""
    rounded = max(5, round(seconds / 5) * 5)
    whole, rest = divmod(rounded, 60)
    if not whole:
        return f"{rest} s"
    return f"{whole} min {rest} s" if rest else f"{whole} min"
