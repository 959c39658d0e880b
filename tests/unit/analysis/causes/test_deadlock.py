"""An app that calls itself waits for the slot that it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories import MODELS, evidence, inside_of, load_result, plain_window, samples, usage

from wsgilab.analysis import causes
from wsgilab.model.outcomes import Rating
from wsgilab.model.window import Window

SINGLE = MODELS["dev-single"].facts
KNOWN = {"context": {"calling": {""}}}


def stuck(ok: int = 0, in_flight: float = 1.0, cpu_ms: float | None = None) -> Window:
    """120 requests of which so many were answered, with the slot taken at every reading."""
    load = load_result([24.0] * ok, 120, failed=0, unanswered=120 - ok, total_requests=ok)
    used = usage(ok, in_flight_mean=in_flight, service_ms=24.0 if ok else None, cpu_ms_per_request=cpu_ms)
    measured = replace(plain_window([], rate_rps=20.0), load=load, usage=used)
    return inside_of(measured, at_once=1, workers_max=1, app_statuses={"200": ok} if ok else {})


def first(measured: Window, **changes: Any) -> str:
    return causes.find(evidence(measured, server=SINGLE, **changes), Rating.BAD)[0].sentence


def test_a_run_that_knows_that_the_app_calls_itself_names_the_deadlock() -> None:
    assert first(stuck(), **KNOWN) == (
        "deadlock: the app calls itself, and its only slot is held by the request that waits for the answer; "
        "20 rps offered"
    )
    gave_up = inside_of(stuck(ok=3, cpu_ms=3.0), at_once=1, workers_max=1, app_statuses={"500": 3})
    assert first(gave_up, **KNOWN).startswith("deadlock"), "the app gives up, and answers with an error"
    assert "deadlock" not in first(gave_up), "three have ended"


def test_alone_a_server_shows_only_that_the_slot_is_held() -> None:
    assert first(stuck()) == (
        "its only slot is held by a request that does not end, with hardly any CPU used: it may wait for a lock, for "
        "something that does not answer, or for the app itself (deadlock); 20 rps offered"
    )


@pytest.mark.parametrize(
    ("measured", "changes"),
    [
        (stuck(ok=60), {}),  # half were answered
        (stuck(ok=110), KNOWN),
        (stuck(in_flight=0.3), {}),  # nobody holds the slot
        (stuck(ok=5, cpu_ms=3000.0), KNOWN),  # somebody works
    ],
)
def test_a_server_that_answers_is_free_or_works_is_not_stuck(measured: Window, changes: dict[str, Any]) -> None:
    assert "deadlock" not in first(measured, **changes)


def test_a_run_learns_from_any_server_that_the_app_calls_itself() -> None:
    twice = replace(plain_window([45.0] * 600), usage=usage(1600))
    objective = evidence(stuck()).context.objective
    assert causes.context([stuck(), twice], objective, 1).calling == {""}
    assert causes.context([stuck()], objective, 1).calling == set()


def test_what_one_app_does_is_not_said_of_another() -> None:
    """Variants of one run may serve different apps."""
    twice = replace(plain_window([45.0] * 600), usage=usage(1600))
    other = replace(SINGLE, name="other", app="mood=fine")
    caller = replace(MODELS["gunicorn"].facts, app="mood=calls itself")
    around = causes.context([twice], evidence(stuck()).context.objective, 1, [other, caller])
    assert around.calling == {"mood=calls itself"}
    assert "the app calls itself" not in first(stuck(), context={"calling": around.calling})


class TestSomeRequestsCallTheApp:
    """The first of them takes the only slot for ever; those before were answered."""

    def stands(self, requests_each_s: float) -> Window:
        measured = stuck(ok=5)
        readings = samples(1.0, 0.0, 8)
        moving = [replace(one, requests=5 + requests_each_s * number) for number, one in enumerate(readings)]
        assert measured.usage
        return replace(measured, usage=replace(measured.usage, samples=tuple(moving)))

    def test_no_request_ended_in_the_measured_part(self) -> None:
        assert first(self.stands(0.0), **KNOWN).startswith("deadlock: the app calls itself, and its only slot")
        assert first(self.stands(0.0)).startswith("its only slot is held by a request that does not end")

    def test_a_slot_that_comes_free_is_no_deadlock(self) -> None:
        assert "deadlock" not in first(self.stands(1.0), **KNOWN)
