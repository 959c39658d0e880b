"""What the app alone takes: told from waiting for a slot, for the CPU, or for another request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from factories import evidence, histogram, inside_of, ladder, load_result, plain_window, plan, samples, usage

from wsgilab.analysis import causes
from wsgilab.analysis.causes import app_time
from wsgilab.model import slo
from wsgilab.model.outcomes import Rating
from wsgilab.model.server import ServerFacts
from wsgilab.model.slo import Slo
from wsgilab.model.window import RequestCost, RequestResult, Window

GTHREAD = ServerFacts("gunicorn-gthread", "Gunicorn, workers with threads", "2 x 8", 16, None)


def window(inside_ms: Sequence[float], cpu_ms: float = 2.6, rate_rps: float = 60.0) -> Window:
    """Requests that took so long inside the app, and hardly longer for k6."""
    mean_ms = sum(inside_ms) / len(inside_ms)
    spent = samples(in_flight=1.0, busy_per_s=sum(inside_ms) / 1000 / 9)
    used = usage(len(inside_ms), service_ms=mean_ms, cpu_ms_per_request=cpu_ms, samples=spent)
    load = load_result([ms + 1 for ms in inside_ms], started_at=0.0)
    measured = Window(plan("gunicorn-gthread", rate_rps=rate_rps), load, used)
    return inside_of(measured, app_time_ms=histogram(inside_ms), at_once=16, workers_max=2)


def named(inside_ms: float) -> Window:
    """600 requests of 20 ms, four of which are reports that take so long: too few for a p99 of all to tell."""
    measured = window([20.0] * 596 + [inside_ms] * 4, rate_rps=100.0)
    assert measured.load
    assert measured.usage
    report = RequestResult(4, 4, 4, ladder([inside_ms + 1] * 4))
    cost = RequestCost(4, 4 * inside_ms / 1000, None)
    return replace(
        measured,
        load=replace(measured.load, by_request={"report": report}),
        usage=replace(measured.usage, by_request={"report": cost}),
    )


def first(measured: Window, **changes: Any) -> str:
    return causes.find(evidence(measured, server=GTHREAD, **changes), Rating.BAD)[0].sentence


def test_an_endpoint_that_is_slower_than_the_objective_is_the_apps_own() -> None:
    found = causes.find(evidence(window([1001.0] * 360), server=GTHREAD), Rating.BAD)[0]
    assert found.sentence == "the app itself takes 1.0 s: no server can keep 250 ms"
    assert found.of_app


def test_a_share_of_slow_requests_is_counted_and_timed() -> None:
    """Every twentieth answer of 2 ms takes a second; the histogram knows only that it was between 1 and 2.5 s."""
    assert first(window([2.3] * 342 + [1002.0] * 18)) == "the app itself: 1 request in 20 takes 1 s inside it"
    assert first(window([2.3] * 240 + [400.0] * 120)) == "the app itself: 1 request in 3 takes 400 ms inside it"
    assert first(window([2.3] * 120 + [400.0] * 240)).startswith("the app itself: 67 % of the requests take 400 ms")


@pytest.mark.parametrize(
    ("inside_ms", "objective"),
    [
        ([2.3] * 358 + [1002.0] * 2, Slo()),  # half a per cent
        ([240.0] * 360, Slo()),
        ([1001.0] * 360, Slo((("p99", 2500.0),))),
        ([2.3] * 342 + [1002.0] * 18, Slo((("p50", 250.0), ("failed", 0.01)))),
    ],
)
def test_what_the_objective_tolerates_is_no_cause(inside_ms: Sequence[float], objective: Slo) -> None:
    assert app_time.slow_inside(evidence(window(inside_ms), server=GTHREAD, objective=objective)) is None


def test_with_the_cpu_busy_the_time_inside_contains_waiting_for_it() -> None:
    """50 ms of CPU at 20 rps on one CPU: 413 ms inside, nearly all of it waiting."""
    busy = window([413.0] * 120, cpu_ms=52.0, rate_rps=20.0)
    assert app_time.slow_inside(evidence(busy, server=GTHREAD)) is None
    assert first(busy) == "limited by CPU: 1 CPU ÷ 52.0 ms CPU per request = 19 rps, 20 rps offered"


def test_time_that_grows_with_the_load_is_not_what_a_request_takes_alone() -> None:
    crowded = window([400.0] * 360)
    found = first(crowded, alone_ms=50.0, alone_rps=5.0)
    assert found == (
        "the time inside the app grows with the load, from 50.0 ms at 5 rps to 400 ms, with 0.17 of 1 CPU busy: "
        "its requests wait for each other, or for something that they share"
    )


def test_some_that_were_much_faster_show_that_the_app_can_be() -> None:
    """A lock: the first requests find it free. With one rate there is nothing to compare with."""
    said = first(window([50.0, 100.0, 150.0, 200.0] * 3 + [400.0] * 150))
    assert said == "inside the app: 380 ms on average, and some requests took less than half"


def test_without_a_histogram_nothing_is_said() -> None:
    assert app_time.slow_inside(evidence(plain_window([1001.0] * 600))) is None
    assert app_time.slow_inside(evidence(inside_of(plain_window([24.0] * 600), app_time_ms={}))) is None


def test_histograms_of_several_windows_add_up() -> None:
    fast, slow = window([2.0] * 360), window([1001.0] * 360)
    assert first_of(fast, slow).startswith("the app itself: 1 request in 2 takes 1")


def first_of(*windows: Window) -> str:
    return causes.find(evidence(*windows, server=GTHREAD), Rating.BAD)[0].sentence


def test_a_bound_between_two_edges_counts_only_what_was_surely_slower() -> None:
    near = replace(window([420.0] * 360))
    assert app_time.slow_inside(evidence(near, server=GTHREAD, objective=Slo((("p99", 400.0),)))) is None
    assert app_time.slow_inside(evidence(window([520.0] * 360), server=GTHREAD, objective=Slo((("p99", 400.0),))))


def test_a_name_that_misses_its_own_objective_inside_the_app_is_named() -> None:
    objective = slo.parse("p99<250ms; report: p95<100ms")
    said = "the app itself: report takes 413 ms inside it on average, over 100 ms"
    assert first(named(413.0), objective=objective) == said
    assert app_time.slow_by_name(evidence(named(99.0), server=GTHREAD, objective=objective)) is None
    assert (
        app_time.slow_by_name(evidence(named(413.0), server=GTHREAD, objective=slo.parse("report: failed<1%"))) is None
    )


def test_a_name_that_waited_and_was_quick_inside_is_not_the_apps_fault() -> None:
    late = named(413.0)
    assert late.usage
    quick = replace(late, usage=replace(late.usage, by_request={"report": RequestCost(4, 0.08, None)}))
    objective = slo.parse("p99<250ms; report: p95<100ms")
    assert app_time.slow_by_name(evidence(quick, server=GTHREAD, objective=objective)) is None
