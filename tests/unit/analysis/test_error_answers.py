"""An app that answers with errors is told from one that is slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from factories import RUN, load_result, plain_window, window

from wsgilab.analysis.pipeline import analyse
from wsgilab.model.window import Window

LESSON = "A slow response spends its time waiting before the app."


def verdict_of(*windows: Window) -> dict[str, Any]:
    return analyse(windows, replace(RUN, workload="/nope", rounds=0)).to_json()


def answered_with(statuses: Mapping[str, int]) -> Window:
    """A window of 600 requests with these answers; the 2xx among them took 20 ms."""
    ok = sum(count for status, count in statuses.items() if status.startswith("2"))
    return replace(plain_window([]), load=load_result([20.0] * ok, 600, statuses=statuses))


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ({"404": 600}, "answered 100 % of its requests with something other than 2xx, mostly HTTP 404: is the path"),
        (
            {"200": 570, "404": 10, "503": 20},
            "answered 5.0 % of its requests with something other than 2xx, mostly HTTP 503: the server or nginx",
        ),
        ({"302": 600}, "mostly HTTP 302: a redirect is not followed"),
        ({"5xx": 600}, "mostly HTTP 5xx: the app fails"),
        ({"other": 600}, "mostly HTTP other"),
    ],
)
def test_what_it_answered_is_said_with_what_to_look_at(statuses: Mapping[str, int], said: str) -> None:
    (problem,) = verdict_of(answered_with(statuses))["problems"]
    assert problem.startswith("gunicorn ")
    assert said in problem


@pytest.mark.parametrize("statuses", [{"200": 600}, {"201": 300, "204": 300}, {"200": 597, "500": 3}, {"0": 600}, {}])
def test_nothing_is_said_of_good_answers_single_errors_and_requests_without_an_answer(
    statuses: Mapping[str, int],
) -> None:
    assert verdict_of(answered_with(statuses))["problems"] == []


def test_the_server_is_bad_and_the_reason_says_why_but_it_did_not_wait() -> None:
    verdict = verdict_of(answered_with({"404": 600}))
    (row,) = [row for row in verdict["servers"] if row["server"] == "gunicorn"]
    assert row["verdict"] == "bad"
    assert row["why"].endswith("100 % answered with something else than 2xx")
    assert row["loads"][0]["refused_ratio"] == 1.0
    (claim,) = [claim for claim in verdict["claims"] if claim["text"] == LESSON]
    assert claim["result"] == "inconclusive"


def test_a_server_that_waits_still_does() -> None:
    verdict = verdict_of(window("dev-single", rate_rps=250.0))
    (claim,) = [claim for claim in verdict["claims"] if claim["text"] == LESSON]
    assert claim["result"] == "holds"
    assert verdict["problems"] == []


def test_a_void_window_tells_nothing_about_the_server() -> None:
    assert verdict_of(replace(answered_with({"404": 600}), void="k6 was late"))["problems"] == []
