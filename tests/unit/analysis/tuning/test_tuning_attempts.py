"""A tuning goes by windows alone: those that were saved make the same attempts again."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from factories import plain_window, plan
from simulated_apps import NAMED, question_for, window
from tuned_folder import measured

from wsgilab.analysis.tuning import search
from wsgilab.analysis.tuning.attempts import attempt_of, history_of
from wsgilab.analysis.tuning.outcome import outcome
from wsgilab.model.slo import Slo
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage, Trial
from wsgilab.model.window import Inside, Purpose, Window

TRIAL = Trial(Setting("gunicorn", "sync", 4), 100.0, 3.0, Stage.RACE)
WINDOWS = 20


def a_tuning(question: Question, most: int = WINDOWS) -> tuple[list[Attempt], list[Window]]:
    history, windows, luck = list[Attempt](), list[Window](), Random(3)
    app = next(app for app in NAMED if app.name == "no greenlets")
    while len(windows) < most and (trial := search.next_trial(question, history)):
        windows.append(measured(trial, window(app, trial, question, luck)))
        history.append(attempt_of(trial, windows[-1], Slo(), question.memory_mb))
    return history, windows


def test_saved_windows_make_the_same_attempts_again() -> None:
    question = question_for("gunicorn")
    history, windows = a_tuning(question)
    assert len(history) == WINDOWS
    assert history_of(question, windows, Slo()) == (history, "")


def test_a_saved_tuning_is_what_it_was_whatever_a_search_would_ask_today(monkeypatch: pytest.MonkeyPatch) -> None:
    question = question_for("gunicorn")
    history, windows = a_tuning(question)
    monkeypatch.setattr(search, "possible_trials", lambda *_: iter(()))
    assert outcome(question, windows, Slo()).history == tuple(history)


def test_a_window_that_was_lost_takes_no_others_along() -> None:
    question = question_for("gunicorn")
    history, windows = a_tuning(question)
    assert history_of(question, [*windows[:4], *windows[5:]], Slo()) == ([*history[:4], *history[5:]], "")


@pytest.mark.parametrize(
    "changes",
    [{"purpose": None}, {"purpose": Purpose("sprint")}, {"server": "gunicorn"}, {"server": "gunicorn-sync-99"}],
)
def test_windows_of_another_tuning_or_of_none_are_left_out(changes: dict[str, Any]) -> None:
    question = question_for("gunicorn")
    history, windows = a_tuning(question)
    strange = replace(windows[4], plan=replace(windows[4].plan, **changes))
    found, problem = history_of(question, [*windows[:4], strange, *windows[5:]], Slo())
    assert found == [*history[:4], *history[5:]]
    assert problem.startswith("1 window left out")


def test_a_server_that_died_is_a_result() -> None:
    attempt = attempt_of(TRIAL, Window(plan(), None, None, died="killed by SIGKILL"), Slo())
    assert (attempt.ending, attempt.died) == (Ending.DIED, "killed by SIGKILL")


def test_what_the_kernel_holds_to_its_memory_is_not_counted_with_its_proxy() -> None:
    fine = plain_window([20.0] * 600)
    assert fine.usage
    held = replace(fine, usage=replace(fine.usage, inside=Inside(memory_limit_mb=100.0)))
    assert attempt_of(TRIAL, held, Slo(), 100.0).ending is Ending.KEPT


def test_workers_that_the_kernel_killed_are_a_death_although_others_took_their_place() -> None:
    fine = plain_window([20.0] * 600)
    assert fine.usage
    attempt = attempt_of(TRIAL, replace(fine, usage=replace(fine.usage, oom_kills=2)), Slo())
    assert (attempt.ending, attempt.died) == (Ending.DIED, "had workers killed by the kernel (out of memory)")


def test_a_void_window_says_nothing_of_the_server() -> None:
    attempt = attempt_of(TRIAL, replace(plain_window([20.0] * 100), void="k6 was short of CPU"), Slo())
    assert (attempt.ending, attempt.died) == (Ending.VOID, "")


@pytest.mark.parametrize(("memory_mb", "ending"), [(None, Ending.KEPT), (112.0, Ending.KEPT), (100.0, Ending.DIED)])
def test_more_memory_than_there_is_counts_as_death_where_nothing_else_holds_it(
    memory_mb: float | None, ending: Ending
) -> None:
    attempt = attempt_of(TRIAL, plain_window([20.0] * 600), Slo(), memory_mb)
    assert attempt.ending is ending
    assert ("112 MB of the 100 MB" in attempt.died) == (ending is Ending.DIED)


def test_the_whole_evidence_is_plain_json() -> None:
    question = question_for("gunicorn")
    _, windows = a_tuning(question)
    text = json.dumps(outcome(question, windows, Slo()).to_json(), allow_nan=False)
    assert json.loads(text)["attempts"][0]["trial"]["setting"] == "gunicorn-sync-1"


def test_a_tuning_may_go_on_with_more_time() -> None:
    question = question_for("gunicorn")
    history, windows = a_tuning(replace(question, budget_s=300.0), most=100)
    assert {attempt.trial.stage for attempt in history} == set(Stage), "the small budget is over, so the final began"
    more = replace(question, budget_s=1200.0)
    assert history_of(more, windows, Slo()) == (history, "")
    assert search.next_trial(replace(question, budget_s=300.0), history) is None
    assert search.next_trial(more, history)
