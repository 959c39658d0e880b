"""What a tuning says, read aloud."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from simulated_apps import FAST, NAMED, SHORT_OF_CPU, App, question_for, tune

from wsgilab.analysis.tuning import advice, cheapest, landscape, phrases, search
from wsgilab.model.tuning import Ending, Setting, Stage

BY_NAME = {app.name: app for app in NAMED}
SLO = "p99<250ms"


def said(app: App, family: str = "gunicorn", rate_rps: float | None = None) -> tuple[str, ...]:
    question = replace(question_for(family), rate_rps=rate_rps)
    history = tune(app, question)
    return advice.advise(question, search.conclude(question, history), history, SLO).sentences


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (Setting("gunicorn", "sync", 1), "1 sync worker"),
        (Setting("gunicorn", "gthread", 2, 8), "2 gthread workers with 8 threads each"),
        (Setting("gunicorn", "gthread", 1, 8), "1 gthread worker with 8 threads"),
        (Setting("gunicorn", "gevent", 2, 1000), "2 gevent workers"),
        (Setting("uwsgi", "", 4, 2), "4 processes with 2 threads each"),
    ],
)
def test_settings_have_words(setting: Setting, text: str) -> None:
    assert phrases.in_words(setting) == text


def test_the_first_sentence_is_the_recommendation_with_its_interval() -> None:
    first = said(BY_NAME["mix"])[0]
    assert "keeps p99<250ms up to" in first
    assert "–" in first


def test_what_people_would_have_set_stands_next_to_it() -> None:
    text = " ".join(said(BY_NAME["io"]))
    assert "times the capacity of today's default (4 sync workers)" in text
    assert "times the capacity of 2n + 1 (3 sync workers)" in text


def test_predictions_are_called_so() -> None:
    told = [sentence for sentence in said(BY_NAME["cpu"]) if "twice the CPUs" in sentence or "one more" in sentence]
    assert told
    assert all(sentence.startswith("Prediction: ") for sentence in told)


def test_an_app_that_only_computes_needs_no_more_than_its_cpus() -> None:
    assert any("one more worker would bring next to nothing" in sentence for sentence in said(BY_NAME["cpu"]))


def test_what_died_is_to_be_avoided() -> None:
    assert any(sentence.startswith("Avoid ") and "gevent" in sentence for sentence in said(BY_NAME["no greenlets"]))


def test_for_a_rate_the_cheapest_is_named_with_its_room() -> None:
    assert "30 % more than 60 rps" in said(BY_NAME["io"], rate_rps=60.0)[0]


def test_nothing_is_recommended_where_nothing_kept_the_slo() -> None:
    assert said(App("hopeless", cpu_ms=5, wait_ms=400))[0].startswith("No setting kept p99<250ms")


def test_the_landscape_has_every_setting_once_and_what_was_measured_of_it() -> None:
    question = question_for("gunicorn")
    history = tune(BY_NAME["mix"], question)
    found = search.conclude(question, history)
    points = landscape.points(question, found.physics, history)
    assert [point.setting for point in points] == list(question.settings)
    assert sum(point.windows for point in points) == len(history)
    assert all(point.to_json()["name"] for point in points)
    in_the_final = {attempt.trial.setting for attempt in history if attempt.trial.stage is Stage.FINAL}
    assert {point.setting for point in points if point.capacity_rps} <= in_the_final
    asked = [attempt for attempt in history if attempt.trial.stage is not Stage.CALIBRATION]
    kept = {attempt.trial.setting for attempt in asked if attempt.ending is Ending.KEPT}
    assert {point.setting for point in points if point.kept_rps} == kept


def test_a_capacity_that_slots_and_cpu_do_not_explain_is_not_put_down_to_them() -> None:
    told = " ".join(said(BY_NAME["lock"]))
    assert "Neither its slots nor the CPU explain that" in told
    assert "cannot be told from slots and CPU" in told
    assert "Prediction: " not in told


def test_where_more_could_not_be_offered_the_capacity_is_a_bound_and_nothing_is_blamed() -> None:
    told = said(FAST)
    assert re.search(r"keeps p99<250ms up to at least \d+ rps, the most that could be measured", told[0])
    text = " ".join(told)
    assert re.search(r"What limits it is not known: by the calibration the CPU allows [45]\d{3} rps", text)
    assert f"are void ({SHORT_OF_CPU})" in text
    assert "until 3 in a row were void" in text
    assert "a lock" not in text


def test_what_is_explained_is_told_with_the_share_that_was_measured() -> None:
    assert any(
        re.search(r"It is limited by the CPU: .* and \d+ % of that was measured", one) for one in said(BY_NAME["cpu"])
    )


def test_how_sure_it_is_stands_in_turns_and_windows() -> None:
    assert any(re.search(r"was met \d+ times, .* in \d+ windows of 6 s", one) for one in said(BY_NAME["mix"]))


def test_memory_that_was_used_is_told_with_what_there_is() -> None:
    assert any(
        re.fullmatch(r"It used [\d.]+ MB at most of the 512 MB that it may use\.", one) for one in said(BY_NAME["mix"])
    )


def test_for_a_rate_it_says_how_many_windows_kept_it() -> None:
    assert "3 of 3 windows of 6 s kept it." in said(BY_NAME["io"], rate_rps=60.0)


def test_cheaper_settings_that_nobody_could_measure_are_named() -> None:
    question = replace(question_for("gunicorn"), rate_rps=60.0)
    history = tune(BY_NAME["io"], question)
    found = search.conclude(question, history)
    first = next(attempt for attempt in history if attempt.trial.stage is Stage.RACE)
    unclear = [replace(one, ending=Ending.VOID) if one.trial.setting == first.trial.setting else one for one in history]
    told = advice.advise(question, replace(found, decision=found.decision), unclear, SLO).sure
    assert any(
        f"Whether less would do is not known: too many windows of {phrases.in_words(first.trial.setting)}" in sentence
        for sentence in told
    )


def test_a_rate_that_cannot_be_offered_is_not_said_to_be_missed() -> None:
    question = replace(question_for("gunicorn"), rate_rps=4000.0)
    history = tune(FAST, question)
    assert cheapest.is_walled(question, history)
    told = advice.advise(question, search.conclude(question, history), history, SLO).answer
    assert told == f"Nothing could be measured at 5200 rps: every window there is void ({SHORT_OF_CPU})."
