"""A tuning finds nearly the best setting there is, in a small part of the time that trying all of them takes."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import replace

import pytest
from simulated_apps import FAST, GENERATOR_RPS, NAMED, App, Tuned, question_for, random_apps, tune, tuned, window

from wsgilab.analysis.tuning import final, search
from wsgilab.model.tuning import Attempt, Ending, Question, Stage

GOOD = 0.95
OF_THE_GRID = 0.25
BY_NAME = {app.name: app for app in NAMED}


def shares(results: Sequence[Tuned]) -> list[float]:
    return [result.share for result in results]


@pytest.mark.parametrize("app", NAMED, ids=lambda app: app.name)
@pytest.mark.parametrize("family", ["gunicorn", "uwsgi"])
def test_recommends_nearly_the_best_setting_of_every_kind_of_app(app: App, family: str) -> None:
    twice = [[tuned(app, question_for(family, cpus, seed=seed)) for seed in range(2)] for cpus in (1, 2)]
    for one, other in twice:
        assert abs(one.share - other.share) <= 0.05, "two tunings of one app recommend settings that do the same"
    results = [result for two in twice for result in two]
    assert statistics.median(shares(results)) >= GOOD
    assert min(shares(results)) >= 0.9
    assert max(result.time_share for result in results) <= OF_THE_GRID
    assert max(search.spent_s(result.history) for result in results) <= 600, "no more than its budget"


def test_finds_nearly_the_best_for_apps_that_it_was_never_tried_on() -> None:
    results = [tuned(app, question_for("gunicorn", 1 + number % 2)) for number, app in enumerate(random_apps(60))]
    assert sum(share >= GOOD for share in shares(results)) >= 0.95 * len(results)


def test_beats_the_rule_of_thumb_where_that_can_be_beaten() -> None:
    question = question_for("gunicorn")
    history = tune(BY_NAME["io"], question)
    decision = search.conclude(question, history).decision
    assert decision
    ratio = final.ratio_of(decision.setting, question.references["2n + 1"], final.walks_of(history))
    assert ratio
    assert ratio.low
    assert ratio.low > 1


def test_goes_on_where_it_was_interrupted() -> None:
    question = question_for("gunicorn")
    history = tune(BY_NAME["mix"], question)
    for done in range(len(history)):
        assert search.next_trial(question, history[:done]) == history[done].trial


def test_saved_attempts_are_the_same_when_they_are_read() -> None:
    for attempt in tune(BY_NAME["mix"], question_for("uwsgi")):
        assert Attempt.from_json(attempt.to_json()) == attempt


def test_a_kind_of_worker_that_dies_at_once_is_tried_once() -> None:
    history = tune(BY_NAME["no greenlets"], question_for("gunicorn"))
    green = [attempt for attempt in history if attempt.trial.setting.kind == "gevent"]
    assert [attempt.ending for attempt in green] == [Ending.DIED]
    assert search.deaths(history) == green


def test_does_not_try_what_has_no_room_in_the_memory() -> None:
    app, question = BY_NAME["heavy"], question_for("gunicorn", memory_mb=512)
    raced = [attempt.trial.setting for attempt in tune(app, question) if attempt.trial.stage is not Stage.CALIBRATION]
    assert max(setting.workers for setting in raced) <= 4  # 25 MB, and 110 MB for each


def test_settings_that_die_are_avoided_and_told() -> None:
    app, question = BY_NAME["two workers only"], question_for("gunicorn")
    history = tune(app, question)
    decision = search.conclude(question, history).decision
    assert decision
    assert decision.setting.workers <= 2
    assert all(attempt.trial.setting.workers > 2 for attempt in search.deaths(history))
    assert search.deaths(history)


def test_an_app_that_keeps_the_slo_nowhere_gets_no_recommendation() -> None:
    hopeless = App("hopeless", cpu_ms=5, wait_ms=400)
    question = question_for("gunicorn")
    history = tune(hopeless, question)
    assert search.conclude(question, history).decision is None
    assert search.spent_s(history) < 600


def test_windows_that_cannot_be_trusted_end_the_search_and_never_repeat_for_ever() -> None:
    question, history = question_for("gunicorn"), list[Attempt]()
    while trial := search.next_trial(question, history):
        history.append(Attempt(trial, Ending.VOID, took_s=8.0))
    assert search.conclude(question, history).decision is None


@pytest.mark.parametrize("app", [BY_NAME["io"], BY_NAME["mix"], BY_NAME["cpu"]], ids=lambda app: app.name)
def test_the_cheapest_setting_for_a_rate_keeps_it_with_room_and_nothing_much_cheaper_does(app: App) -> None:
    asked = question_for("gunicorn")
    question = Question(asked.settings, asked.references, asked.cpus, asked.memory_mb, rate_rps=60.0)
    decision = search.conclude(question, tune(app, question)).decision
    assert decision
    able = [one for one in question.settings if app.capacity_rps(one, question.cpus, question.memory_mb) >= 78.0]
    least_mb = min(app.memory_mb(one, 78.0) for one in able)
    assert app.capacity_rps(decision.setting, question.cpus, question.memory_mb) >= 78.0 * 0.95
    assert app.memory_mb(decision.setting, 78.0) <= least_mb * 1.1


def test_no_setting_is_named_for_a_rate_that_none_keeps() -> None:
    asked = question_for("gunicorn")
    question = Question(asked.settings, asked.references, asked.cpus, asked.memory_mb, rate_rps=5000.0)
    assert search.conclude(question, tune(BY_NAME["cpu"], question)).decision is None


def test_a_server_that_does_more_than_can_be_offered_gets_a_bound_in_few_void_windows() -> None:
    question = question_for("gunicorn")
    history = tune(FAST, question)
    decision = search.conclude(question, history).decision
    assert decision
    assert decision.capacity
    assert decision.capacity.censored
    assert decision.capacity.value == pytest.approx(GENERATOR_RPS, rel=0.1)
    assert decision.setting.workers == 1, "more workers could not be seen to do more"
    void = [attempt for attempt in history if attempt.ending is Ending.VOID]
    assert len(void) <= len(history) / 2


@pytest.mark.parametrize("kinds", [1, 5])
def test_for_a_rate_a_setting_whose_windows_were_void_has_its_turn_again(kinds: int) -> None:
    asked = question_for("gunicorn")
    question = replace(asked, rate_rps=60.0)
    usual = search.conclude(question, tune(BY_NAME["io"], question)).decision
    assert usual
    luck, history = random.Random(1), list[Attempt]()
    busy = 2 * kinds
    while trial := search.next_trial(replace(question, budget_s=2000.0), history):
        attempt = window(BY_NAME["io"], trial, question, luck)
        if trial.stage is not Stage.CALIBRATION and busy:
            busy -= 1
            attempt = replace(attempt, ending=Ending.VOID)
        history.append(attempt)
    decision = search.conclude(question, history).decision
    assert decision
    assert decision.setting == usual.setting
    assert len({attempt.trial.setting for attempt in history if attempt.ending is Ending.VOID}) == kinds


def test_where_one_worker_has_no_room_nothing_else_is_tried() -> None:
    history = tune(BY_NAME["heavy"], question_for("gunicorn", memory_mb=60))
    assert {attempt.ending for attempt in history} == {Ending.DIED}
    assert not [attempt for attempt in history if attempt.trial.stage is Stage.RACE]
