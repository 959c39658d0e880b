"""`./lab capacity`: one server after the other takes its next step of the search, in an order shuffled each turn."""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from wsgilab.analysis import capacity
from wsgilab.analysis.capacity import Goal
from wsgilab.commands import prepare
from wsgilab.commands.progress import SearchProgress, minutes
from wsgilab.commands.run import Job, carry_out, seed
from wsgilab.lab.workloads import find_workload
from wsgilab.measure.windows import Settings
from wsgilab.model import slo
from wsgilab.model.server import Server
from wsgilab.model.slo import Slo
from wsgilab.model.window import Window, WindowPlan
from wsgilab.model.words import counted


def search(root: Path, arguments: argparse.Namespace) -> int:
    """`./lab capacity`: the highest offered rate that keeps the SLO, for each server. Gives the exit code."""
    lab, servers = prepare.selection(root, arguments)
    return carry_out(lab, servers, arguments, _job(arguments, servers))


def plan_search(settings: Settings, goal: Goal, objective: Slo, measured: Sequence[Window]) -> Iterator[WindowPlan]:
    """The windows of a search. `measured` is the list that each of them joins before the next one is asked for.

    Turns of all servers, so that a mood of the machine meets each, and a late server has time to recover.
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
            yield settings.window(server, probe.rate_rps, probe.duration_s, len(own) + 1, order)
            order += 1


def _job(arguments: argparse.Namespace, servers: Sequence[Server]) -> Job:
    goal = Goal(
        fine_s=arguments.duration, coarse_s=min(Goal.coarse_s, arguments.duration / 2), budget_s=arguments.budget
    )
    objective = slo.parse(arguments.slo)
    settings = Settings(
        servers=tuple(server.name for server in servers),
        workload=find_workload(arguments.workload).name,
        rates_rps=(),
        rounds=0,
        duration_s=goal.fine_s,
        seed=seed(arguments),
    )
    at_most_s = goal.budget_s * len(servers)
    return Job(
        command="capacity",
        settings=settings,
        objective=objective,
        plans=lambda measured: plan_search(settings, goal, objective, measured),
        schedule={"search": goal.to_json()},
        about=f"{counted(len(servers), 'server')}, workload {settings.workload}: the highest rate that keeps "
        f"{objective} for {goal.fine_s:g} s, at most {minutes(at_most_s)} in all. Seed {settings.seed}.",
        progress=lambda console: SearchProgress(console, at_most_s),
        inside=["--budget", f"{goal.budget_s:g}"],
    )
