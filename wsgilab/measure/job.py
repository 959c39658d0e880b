"""What a request comes to: which windows to measure, in which order, and how long that takes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wsgilab.analysis import capacity
from wsgilab.analysis.capacity import Goal
from wsgilab.analysis.pipeline import RunFacts
from wsgilab.lab.servers import Lab
from wsgilab.lab.workloads import find_workload
from wsgilab.measure import floor
from wsgilab.measure.gating import Extended, Gating, question_of
from wsgilab.measure.tuning import plan_tuning
from wsgilab.measure.tuning import question_of as question_of_tuning
from wsgilab.measure.windows import Settings, plan_windows
from wsgilab.model import slo
from wsgilab.model.listener import Outline
from wsgilab.model.request import Request
from wsgilab.model.server import Server, ServerFacts
from wsgilab.model.slo import Slo
from wsgilab.model.window import Window, WindowPlan

OVERHEAD_S = 2.6
"""What a window takes besides warm-up and measured part, on average in a default run: about 1 s where all is
answered, 4 s where the server is late and started anew."""
FRESH_START_S = 1.0
"""What starting a server anew takes, as a local process, on the average of those of compose.yaml."""
FLOORS_OF_A_SEARCH = 5
"""Powers of two from 50 rps to a usual capacity."""


@dataclass(frozen=True)
class Job:
    """The windows of a request."""

    command: str
    settings: Settings
    objective: Slo
    plans: Callable[[Sequence[Window], Extended], Iterable[WindowPlan]]
    """The windows to measure, one after the other; a search looks at those that are done, which the list grows by, and
    so does a gate that may go on, which says so."""
    schedule: Mapping[str, Any]
    """What decides which windows are measured, for the manifest."""
    windows: int | None
    """How many there are, at least; None where a search decides."""
    takes_s: float
    """Seconds for so many; of a search, at most."""
    earlier: int = 0
    """Windows of a search that goes on; what they took is no part of `takes_s`."""
    afterwards_s: float = 0.0
    """Of them, those after the last window."""

    def ends_round(self, measured: int) -> bool:
        """Whether a round is over when so many windows are measured."""
        return self.windows is not None and measured % (self.windows // self.settings.rounds) == 0

    def with_rounds(self, rounds: int) -> Job:
        """The same with another number of rounds."""
        settings = replace(self.settings, rounds=rounds)
        plans = plan_windows(settings)
        takes_s = self.takes_s * rounds / self.settings.rounds
        return replace(self, settings=settings, schedule=_order(plans), windows=len(plans), takes_s=takes_s)

    def after(self, earlier: Sequence[Window]) -> Job:
        """The same search, for which these windows have been measured before."""
        spent_s = sum(window.took_s + window.start_s for window in earlier)
        return replace(self, takes_s=max(0.0, self.takes_s - spent_s), earlier=len(earlier))

    @property
    def outline(self) -> Outline:
        """What will be measured, for those who look on."""
        settings = self.settings
        return Outline(
            command=self.command,
            servers=settings.servers,
            workload=settings.workload,
            rates_rps=settings.rates_rps,
            rounds=settings.rounds,
            duration_s=settings.duration_s,
            slo=str(self.objective),
            seed=settings.seed,
            windows=self.windows,
            takes_s=self.takes_s,
            earlier=self.earlier,
            afterwards_s=self.afterwards_s,
        )


def job_for(request: Request, servers: Sequence[Server]) -> Job:
    """The job of a request for these servers. Raises UsageError where it cannot be planned."""
    return JOBS[request.command](request, servers)


def with_seed(request: Request) -> Request:
    """The request with a seed of its own, where it names none."""
    return request if request.seed is not None else request.but(seed=random.SystemRandom().randrange(1_000_000))


def plan_search(settings: Settings, goal: Goal, objective: Slo, measured: Sequence[Window]) -> Iterator[WindowPlan]:
    """The windows of a search. `measured` is the list that each of them joins before the next one is asked for.

    Turns of all servers, so that a mood of the machine meets each, and a late server has time to recover. Long windows,
    which decide, each have a start of their own: a capacity is not to be the luck of one.
    """
    shuffler = random.Random(settings.seed)
    order = 0
    searching = list(settings.servers)
    while searching:
        shuffler.shuffle(searching)
        for server in list(searching):
            own = [window for window in measured if window.plan.server == server]
            probe = capacity.next_probe(goal, [capacity.tried(window, objective) for window in own])
            if probe is None or (own and own[-1].load is None and own[-1].died):
                searching.remove(server)
                continue
            window = settings.window(server, probe.rate_rps, probe.duration_s, len(own) + 1, order)
            yield replace(window, fresh=probe.duration_s >= goal.fine_s)
            order += 1


def _run(request: Request, servers: Sequence[Server], pairs: tuple[tuple[str, str], ...] = ()) -> Job:
    settings = replace(_settings(request, servers, request.rates_rps, request.windows_each), pairs=pairs)
    plans = plan_windows(settings)
    return Job(
        command=request.command,
        settings=settings,
        objective=slo.parse(request.slo),
        plans=lambda _measured, _extended: plans,
        schedule=_order(plans),
        windows=len(plans),
        takes_s=sum(map(_takes_s, plans)) + floor.WINDOW_S * len(settings.rates_rps),
    )


def _gate(request: Request, servers: Sequence[Server]) -> Job:
    """As a run; where the number of rounds was not asked for, with more of them while it is too noisy to say."""
    question = question_of(request, [server.name for server in servers])
    job = _run(request, servers, tuple(question.pairs.items()) if request.takes_turns else ())
    if request.rounds:
        return job
    gating = Gating(
        job.settings,
        question,
        RunFacts(tuple(map(ServerFacts.of, servers)), job.objective, request.command),
        request.may_take_s,
    )
    return replace(job, plans=gating.plans)


def _order(plans: Sequence[WindowPlan]) -> Mapping[str, Any]:
    return {"order": tuple((plan.round, plan.server, plan.rate_rps) for plan in plans)}


def _takes_s(plan: WindowPlan) -> float:
    """About how long a window takes, with starting its server anew."""
    takes_s = plan.warmup_s + plan.schedule_s + OVERHEAD_S + (FRESH_START_S if plan.fresh else 0.0)
    return takes_s / 2 if plan.turns_with else takes_s


def _search(request: Request, servers: Sequence[Server]) -> Job:
    coarse_s = min(Goal.coarse_s, request.window_s / 2)
    goal = Goal(fine_s=request.window_s, coarse_s=coarse_s, budget_s=request.may_take_s)
    settings = _settings(request, servers, rates_rps=(), rounds=0)
    objective = slo.parse(request.slo)
    return Job(
        command=request.command,
        settings=settings,
        objective=objective,
        plans=lambda measured, _extended: plan_search(settings, goal, objective, measured),
        schedule={"search": goal.to_json()},
        windows=None,
        takes_s=goal.budget_s * len(servers) + floor.WINDOW_S * FLOORS_OF_A_SEARCH,
    )


def tuning_job(request: Request, lab: Lab, servers: Sequence[Server]) -> Job:
    """The job of a tuning of one family of servers, all settings of which are among `servers`."""
    (family,) = request.families
    question, objective = question_of_tuning(request, lab, family), slo.parse(request.slo)
    settings = _settings(request, servers, rates_rps=(), rounds=0)
    return Job(
        command=request.command,
        settings=settings,
        objective=objective,
        plans=lambda measured, _extended: plan_tuning(settings, question, objective, measured),
        schedule={"tuning": question.to_json()},
        windows=None,
        takes_s=question.budget_s,
    )


def _settings(request: Request, servers: Sequence[Server], rates_rps: tuple[float, ...], rounds: int) -> Settings:
    return Settings(
        servers=tuple(server.name for server in servers),
        workload=find_workload(request.workload).name,
        rates_rps=rates_rps,
        rounds=rounds,
        duration_s=request.window_s,
        keep_alive=request.keep_alive,
        seed=request.seed or 0,
    )


JOBS: Mapping[str, Callable[[Request, Sequence[Server]], Job]] = {"run": _run, "capacity": _search, "gate": _gate}
