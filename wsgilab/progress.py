"""What is being measured, and how long the rest will take: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from wsgilab.records import WindowPlan

OVERHEAD_S = 2.6
"""What a window takes beside warm-up and measured part: k6 starts, last answers arrive, exporters are read."""


def estimate_s(plans: list[WindowPlan]) -> float:
    """How long these windows will take, in seconds, if no server needs its grace."""
    return sum(plan.warmup_s + plan.duration_s + OVERHEAD_S for plan in plans)


class RunProgress:
    """Announces each window as it starts, and corrects the time left by what the windows before it took."""

    def __init__(self, console: Console, plans: list[WindowPlan]) -> None:
        self._console = console
        self._plans = plans
        self._started = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=len(plans))

    def __enter__(self) -> RunProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def announce(self, plan: WindowPlan) -> None:
        """A window is about to be measured."""
        what = f"{plan.server}, {plan.workload} at {plan.rate_rps:g} rps, round {plan.round}"
        left = f"about {minutes(self._left_s(plan.order))} left"
        if self._console.is_terminal:
            self._bar.update(self._task, completed=plan.order, description=f"{what} · {left}")
        else:
            self._console.print(f"[{plan.order + 1}/{len(self._plans)}] {what} ({left})", markup=False, highlight=False)

    def _left_s(self, done: int) -> float:
        rest = estimate_s(self._plans[done:])
        if done == 0:
            return rest
        return rest * (time.monotonic() - self._started) / estimate_s(self._plans[:done])


def minutes(seconds: float) -> str:
    """`2 min 10 s`, in steps of 5 s."""
    rounded = max(5, round(seconds / 5) * 5)
    whole, rest = divmod(rounded, 60)
    if not whole:
        return f"{rest} s"
    return f"{whole} min {rest} s" if rest else f"{whole} min"
