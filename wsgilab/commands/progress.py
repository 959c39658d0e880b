"""How a measurement goes: a bar and the figures so far on a terminal, a line for each window elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar
from rich.status import Status

from wsgilab.commands.console import say
from wsgilab.errors import LabError
from wsgilab.model.listener import Listener, Outline
from wsgilab.model.manifest import Manifest, ServerEntry
from wsgilab.model.window import Window, WindowPlan
from wsgilab.model.words import counted
from wsgilab.reports import so_far
from wsgilab.results.judged import judge


class Progress(Listener):
    """Shows what it hears on standard error, while its block lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status("starting", console=console)
        self._bar = Bar(
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting servers", total=None)
        self._outline: Outline | None = None
        self._started: float | None = None
        self._last = ""

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()
        self._bar.stop()

    def engine_chosen(self, engine: str, why: str) -> None:
        """A line."""
        self._print(f"Engine: {engine} ({why}).")

    def planned(self, outline: Outline) -> None:
        """A line, and from now on the bar."""
        self._outline = outline
        self._print(about(outline))
        self._status.stop()
        self._bar.update(self._task, total=outline.windows)
        self._bar.start()

    def window_started(self, plan: WindowPlan) -> None:
        """What is being measured, and the time that is left."""
        self._started = self._started or time.monotonic()
        outline = self._outline
        unit = "round" if outline is None or outline.windows else "try"
        load = f"{plan.workload} at {plan.rate_rps:g} rps" if plan.rate_rps else "idle"
        what = f"{plan.server}, {load}, {unit} {plan.round}"
        if plan.why:
            what = f"{plan.server} at {plan.rate_rps:g} rps: {plan.why}"
        left = f"{self._left(plan.order)} left"
        if self._console.is_terminal:
            self._bar.update(self._task, completed=plan.order, description=f"{what} · {left}{self._last}")
            return
        total = f"/{outline.windows}" if outline and outline.windows else ""
        self._print(f"[{plan.order + 1}{total}] {what} ({left})")

    def window_measured(self, window: Window) -> None:
        """Below the next window, while that is measured."""
        self._last = f"\nlast: {so_far.sentence(window)}"

    def round_ended(self, number: int, windows: Sequence[Window]) -> None:
        """The table so far, on a terminal; after the last round comes the verdict."""
        outline = self._outline
        if outline is None or not self._console.is_terminal or number == outline.rounds:
            return
        servers = tuple(ServerEntry(name) for name in outline.servers)
        known = Manifest(command=outline.command, workload=outline.workload, slo=outline.slo, servers=servers)
        verdict = judge(windows, known, [])
        self._console.print(so_far.table(verdict, f"After round {number} of {outline.rounds}"), highlight=False)

    def message(self, text: str) -> None:
        """A line."""
        self._print(text)

    def warning(self, problem: LabError) -> None:
        """Its three parts."""
        say(problem)

    def output(self, line: str) -> None:
        """On a terminal the last one only: an error repeats what is needed."""
        if not self._console.is_terminal:
            self._print(line)
        elif line.strip():
            self._status.update(line.strip()[: self._console.width - 4].replace("[", "\\["))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _left(self, done: int) -> str:
        """How long the rest will take after `done` windows, in words: a search may end earlier."""
        outline, elapsed_s = self._outline, time.monotonic() - (self._started or time.monotonic())
        if outline is None:
            return "some time"
        if outline.windows is None:
            return f"at most {minutes(max(0.0, outline.takes_s - elapsed_s))}"
        if not done:
            return f"about {minutes(outline.takes_s)}"
        rest_s = elapsed_s / done * (outline.windows - done) + outline.afterwards_s
        return f"about {minutes(rest_s)}"


def about(outline: Outline) -> str:
    """What will be measured, and how long it will take."""
    servers = f"{counted(len(outline.servers), 'server')}, workload {outline.workload}"
    if outline.command == "tune":
        choice = f"{counted(len(outline.servers), 'setting')} to choose from, workload {outline.workload}"
        time_left = f"at most {minutes(outline.takes_s)} {'more' if outline.earlier else 'in all'}"
        known = f"{counted(outline.earlier, 'window')} from before, " if outline.earlier else ""
        return f"{choice}, objective {outline.slo}: {known}{time_left}. Seed {outline.seed}."
    if outline.windows is None:
        return (
            f"{servers}: the highest rate that keeps {outline.slo} for {outline.duration_s:g} s, at most "
            f"{minutes(outline.takes_s)} in all. Seed {outline.seed}."
        )
    if outline.command == "vitals":
        return f"{servers}: {_clicked(outline)}, about {minutes(outline.takes_s)} in all. Seed {outline.seed}."
    rates = ", ".join(f"{rate:g}" for rate in outline.rates_rps)
    return (
        f"{servers} at {rates} rps, {counted(outline.rounds, 'round')}: {counted(outline.windows, 'window')} of "
        f"{outline.duration_s:g} s, about {minutes(outline.takes_s)} in all. Seed {outline.seed}."
    )


def _clicked(outline: Outline) -> str:
    loads = " and ".join(f"at {rate:g} rps" if rate else "idle" for rate in outline.rates_rps)
    return f"{loads}, {counted(outline.rounds, 'round')} of clicks in a browser"


def minutes(seconds: float) -> str:
    """`2 min 10 s`, in steps of 5 s."""
    rounded = max(5, round(seconds / 5) * 5)
    whole, rest = divmod(rounded, 60)
    if not whole:
        return f"{rest} s"
    return f"{whole} min {rest} s" if rest else f"{whole} min"
