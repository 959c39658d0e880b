"""Which server is the best of all: tunings of several, side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulated_apps import FAST, NAMED, App, question_for, tune

from wsgilab.analysis.tuning import across, advice, landscape, search
from wsgilab.analysis.tuning.outcome import Tuning

BY_NAME = {app.name: app for app in NAMED}


def tuning(app: App, family: str, rate_rps: float | None = None) -> Tuning:
    question = replace(question_for(family), rate_rps=rate_rps)
    history = tuple(tune(app, question))
    found = search.conclude(question, history)
    said = advice.advise(question, found, history, "p99<250ms")
    return Tuning(question, history, found, said, tuple(landscape.points(question, found.physics, history)))


def test_the_server_that_does_more_comes_first_with_the_ratio() -> None:
    slow = replace(BY_NAME["cpu"], cpu_ms=20.0)
    said = list(across.sentences([tuning(slow, "gunicorn"), tuning(BY_NAME["cpu"], "uwsgi")]))
    assert said[0].startswith("Of all: uwsgi with ")
    assert said[1].startswith("It does ")
    assert " times as much as gunicorn with " in said[1]


def test_for_a_rate_the_server_that_needs_less_memory_comes_first() -> None:
    heavy = replace(BY_NAME["io"], base_mb=200.0)
    said = list(across.sentences([tuning(heavy, "gunicorn", 60.0), tuning(BY_NAME["io"], "uwsgi", 60.0)]))
    assert said[0].startswith("Of all: uwsgi with ")
    assert " MB less than gunicorn with " in said[1]


def test_what_needs_as_much_memory_is_not_said_to_need_less() -> None:
    one = tuning(BY_NAME["io"], "gunicorn", 60.0)
    assert list(across.sentences([one, one]))[1].startswith("It uses as much memory as ")


def test_two_that_do_more_than_can_be_offered_cannot_be_told_apart_and_one_of_them_can() -> None:
    both = list(across.sentences([tuning(FAST, "gunicorn"), tuning(FAST, "uwsgi")]))
    assert both[1].startswith("Its capacity cannot be compared with that of ")
    one = list(across.sentences([tuning(BY_NAME["cpu"], "gunicorn"), tuning(FAST, "uwsgi")]))
    assert one[0].startswith("Of all: uwsgi")
    assert one[1].startswith("It does at least ")


def test_a_server_without_a_recommendation_comes_last() -> None:
    hopeless = tuning(App("hopeless", cpu_ms=5, wait_ms=400), "gunicorn")
    ranks = across.ranked([hopeless, tuning(BY_NAME["mix"], "uwsgi")])
    assert [rank.family for rank in ranks] == ["uwsgi", "gunicorn"]
    assert [rank.ratio for rank in ranks] == [None, None]


@pytest.mark.parametrize("families", [(), ("gunicorn",)])
def test_one_server_alone_is_compared_with_nothing(families: tuple[str, ...]) -> None:
    assert not list(across.sentences([tuning(BY_NAME["mix"], family) for family in families]))
