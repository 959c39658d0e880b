"""What drives load, as the rest of a run sees it: next to the engine, which runs servers."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from wsgilab.engines import Endpoint
from wsgilab.model.window import LoadResult, WindowPlan


class Load(Protocol):
    """The load of one window, under way or over: a context manager, and leaving the block stops it."""

    @property
    def cpu_s(self) -> float:
        """CPU time that the generator has used for it so far; it stays when the load has ended."""

    @property
    def wait_s(self) -> float:
        """How long it has waited for a CPU while ready to run, in sum over its threads."""

    def poll(self) -> bool:
        """Whether it has ended. Asked about ten times a second."""

    def result(self) -> LoadResult:
        """What was seen, once it has ended. Raises LabError where there is nothing to hand over."""

    def __enter__(self) -> Load: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LoadInTurns(Load, Protocol):
    """The load of two servers that take turns."""

    def results(self) -> Sequence[LoadResult]:
        """What was seen of each, in the order of the plans. Raises LabError as `result` does, which is not asked."""


class LoadGenerator(Protocol):
    """Turns the plan of a window into a load result, and says whether it was itself the limit."""

    @property
    def name(self) -> str:
        """What reports and the manifest call it: `k6`."""

    @property
    def cpus(self) -> int:
        """How many CPUs it may use."""

    @property
    def version(self) -> str:
        """What it says it is."""

    @property
    def origin(self) -> str:
        """Where it is from, for a report that is passed on."""

    def start(self, plan: WindowPlan, at: Endpoint) -> Load:
        """Start the load of a window on the server at `at`, and return at once. Raises MissingError."""

    @property
    def alone(self) -> LoadGenerator:
        """The same without traffic of its own, telling nobody and keeping nothing: for the floor."""

    def limit(self, result: LoadResult) -> str | None:
        """Why this result shows the generator and not the server, as a sentence; None where it shows the server.

        Only the generator knows what its CPU time, its waits and its lag mean: many machines are short of CPU when any
        of them is, and a browser is late by other measures than k6.
        """
