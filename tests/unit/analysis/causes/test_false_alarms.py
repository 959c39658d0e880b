"""A cause that is not there is as bad as one that is not named: the default five under loads that they carry, or not.

Figures as measured on two cores: time inside the app, CPU per request with nginx's, and what the middleware and the
exporter see beside them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from factories import MODELS, RUN, SERVERS, histogram, inside_of, round_half_up, window

from wsgilab.analysis.pipeline import analyse
from wsgilab.model.outcomes import Rating
from wsgilab.model.window import Window

WORKERS = {"dev-single": 1, "dev": 1, "gunicorn": 4, "uwsgi-single": 1, "uwsgi": 4}
WORKLOADS: Mapping[str, tuple[float, Mapping[str, float]]] = {
    "mix": (22.4, {"dev-single": 2.7, "dev": 3.4, "gunicorn": 2.6, "uwsgi-single": 2.4, "uwsgi": 2.5}),
    "io": (20.4, {"dev-single": 0.7, "dev": 1.3, "gunicorn": 0.6, "uwsgi-single": 0.5, "uwsgi": 0.6}),
    "cpu": (5.3, {"dev-single": 5.6, "dev": 6.3, "gunicorn": 5.5, "uwsgi-single": 5.4, "uwsgi": 5.4}),
    "hello": (0.3, {"dev-single": 0.4, "dev": 1.0, "gunicorn": 0.4, "uwsgi-single": 0.3, "uwsgi": 0.3}),
}


def measured(server: str, workload: str, rate_rps: float, round: int) -> Window:
    """A window as the queue gives it, with what is inside a server of its kind."""
    service_ms, cpu_ms = WORKLOADS[workload]
    usual = MODELS[server]
    MODELS[server] = replace(usual, service_ms=service_ms, cpu_ms=cpu_ms[server])
    try:
        plain = window(server, rate_rps, round)
    finally:
        MODELS[server] = usual
    rng, requests = random.Random(f"{server} {workload} {rate_rps} {round}"), round_half_up(plain.usage.requests)  # type: ignore[union-attr]
    times = [service_ms * rng.lognormvariate(0, 0.05) for _ in range(requests)]
    busy = min(1.0, rate_rps * cpu_ms[server] / 1000 + 0.1)
    slots, workers = usual.facts.slots, WORKERS[server]
    # Under an open load requests come one by one; now and then one is late, and the next finds it there.
    together = min(slots or 1000, 2 + int(rate_rps * service_ms / 1000 * 1.5))
    return inside_of(
        plain,
        at_once=together,
        at_once_in_one_process=max(1, -(-together // workers)),
        workers_min=workers,
        workers_max=workers,
        app_statuses={"200": requests},
        app_time_ms=histogram(times),
        connections_max=together + 2,
        cpus_busy=busy,
        worker_starts=workers if round == 1 else 0,
    )


@pytest.mark.parametrize("workload", WORKLOADS)
def test_servers_that_keep_up_are_said_to_have_no_problem(workload: str) -> None:
    windows = [measured(each.name, workload, 40.0, number) for number in (1, 2, 3) for each in SERVERS]
    verdict = analyse(windows, replace(RUN, workload=workload))
    for row in verdict.servers:
        assert row.rating is Rating.GOOD, row.why
        assert [load.causes for load in row.loads] == [()], row.server
        assert row.slots_seen is None, row.server


@pytest.mark.parametrize("workload", ["mix", "io"])
def test_where_slots_decide_nothing_else_is_named(workload: str) -> None:
    rates = (100.0, 250.0)
    windows = [measured(each.name, workload, rate, n) for n in (1, 2, 3) for rate in rates for each in SERVERS]
    verdict = analyse(windows, replace(RUN, workload=workload))
    kinds = {row.server: {cause.kind for load in row.loads for cause in load.causes} for row in verdict.servers}
    assert kinds == {
        "dev-single": {"slots"},
        "dev": set(),
        "gunicorn": {"slots"},
        "uwsgi-single": {"slots"},
        "uwsgi": set(),
    }
    assert {row.slots_seen for row in verdict.servers} == {None}


def test_no_cause_is_made_up_for_a_result_that_nothing_explains() -> None:
    late = [measured("uwsgi", "mix", 40.0, number) for number in (1, 2, 3)]
    slow = [
        replace(each, load=replace(each.load, ladder_ms={rung: ms + 900 for rung, ms in each.load.ladder_ms.items()}))
        for each in late
        if each.load
    ]
    (row,) = [row for row in analyse(slow, RUN).servers if row.server == "uwsgi"]
    assert row.why.startswith("not explained: 0.12 of 1 CPU busy, 1.0 of 8 slots taken; p99 9")
    assert [cause.kind for cause in row.loads[0].causes] == ["not explained"]
