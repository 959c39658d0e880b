"""A question of a tuning is kept in a manifest, and read again from there."""

from __future__ import annotations

from typing import Any

import pytest
from simulated_apps import question_for

from wsgilab.model.tuning import Question, Setting


@pytest.mark.parametrize("family", ["gunicorn", "uwsgi"])
def test_a_setting_is_found_by_its_name(family: str) -> None:
    for setting in question_for(family).settings:
        assert Setting.named(setting.name) == setting


@pytest.mark.parametrize(
    "name", ["", "gunicorn", "gunicorn-sync-0", "uwsgi-4x0", "gunicorn-sync-4-2", "../x-4", "x" * 99]
)
def test_what_names_no_setting_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no setting|no thread"):
        Setting.named(name)


@pytest.mark.parametrize("family", ["gunicorn", "uwsgi"])
def test_a_saved_question_is_the_same_when_it_is_read(family: str) -> None:
    question = question_for(family, cpus=2, seed=7)
    assert Question.from_json(question.to_json()) == question


@pytest.mark.parametrize(
    "change",
    [
        {"settings": ["rm -rf"]},
        {"settings": []},
        {"settings": None},
        {"references": []},
        {"cpus": 0},
        {"memory_mb": "much"},
        {"budget_s": -1.0},
        {"rate_rps": 60.0, "headroom": -2.0},
    ],
)
def test_a_question_that_nobody_asked_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no setting|it is no question|it asks for nothing"):
        Question.from_json({**question_for("gunicorn").to_json(), **change})
