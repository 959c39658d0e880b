"""Several k6 processes that share the schedule of each window: a load generator like one of them, with more hands."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from wsgilab.engines import Endpoint
from wsgilab.measure import load
from wsgilab.measure.k6 import K6Generator
from wsgilab.measure.k6_command import K6, Segment
from wsgilab.measure.shared_load import SharedLoad, terms
from wsgilab.measure.start_line import StartLine
from wsgilab.model.window import LoadResult, WindowPlan


def generator_for(k6: K6, count: int, kept_in: Path | None) -> K6Generator | Generators:
    """So many of this k6. `kept_in`: where to write a line for every request; None for nowhere."""
    one = K6Generator(k6)
    return one if count == 1 and kept_in is None else Generators(one, count, kept_in)


@dataclass(frozen=True)
class Generators:
    """A LoadGenerator: several k6 processes on this machine for each window."""

    one: K6Generator
    count: int
    kept_in: Path | None = None
    """The folder in which the requests of each window are kept, one file for each; None where nobody wants them."""

    @property
    def k6(self) -> K6:
        """What each of them is."""
        return self.one.k6

    @property
    def name(self) -> str:
        """As that of one."""
        return self.one.name

    @property
    def cpus(self) -> int:
        """Those that all of them share."""
        return self.one.cpus

    @property
    def version(self) -> str:
        """The first line that `k6 version` prints."""
        return self.one.version

    @property
    def origin(self) -> str:
        """Where this k6 is from."""
        return self.one.origin

    @property
    def alone(self) -> Generators:
        """The same without traffic of its own, telling nobody and keeping nothing."""
        return replace(self, one=self.one.alone, kept_in=None)

    def start(self, plan: WindowPlan, at: Endpoint) -> SharedLoad:
        """Start all of them on a window. Raises MissingError."""
        with ExitStack() as entered:
            line = entered.enter_context(StartLine(self.count))
            runs = []
            for number in range(1, self.count + 1):
                segment = Segment(number, self.count, line.url(number), each_request=True)
                runs.append(entered.enter_context(load.start(self.one.k6, plan, at, segment)))
            these = terms(plan, self.one.k6.traffic, self.kept_in, {"": self.cpus})
            return SharedLoad(runs, line, these, entered.pop_all())

    def start_turns(self, plans: Sequence[WindowPlan], at: Sequence[Endpoint]) -> SharedLoad:
        """By one for each of the servers."""
        return self.one.start_turns(plans, at)

    def limit(self, result: LoadResult) -> str | None:
        """By the signs of each of them, and by how evenly and how closely together they sent."""
        return self.one.limit(result)
