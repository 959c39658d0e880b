"""The landscape of a tuning as a picture, and in words for those who do not see it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from simulated_apps import NAMED, question_for, tune

from wsgilab.analysis.tuning import landscape, search
from wsgilab.analysis.tuning.landscape import Point
from wsgilab.model.tuning import Setting
from wsgilab.reports.landscape_chart import landscape_chart
from wsgilab.reports.svg import WIDE


def points() -> tuple[list[Point], Setting]:
    question = question_for("gunicorn")
    history = tune(NAMED[2], question)
    found = search.conclude(question, history)
    assert found.decision
    return landscape.points(question, found.physics, history), found.decision.setting


def test_every_setting_that_was_measured_is_in_it_once_and_the_recommended_one_is_named() -> None:
    shown, chosen = points()
    root = ET.fromstring(landscape_chart(shown, chosen, WIDE))
    marks = [mark for mark in root.iter("path") if mark.get("class") == "mark"]
    assert len(marks) == sum(point.kept_rps is not None or point.capacity_rps is not None for point in shown)
    description = root.findtext("desc") or ""
    assert description.count("(recommended)") == 1
    assert f"{chosen.name}: " in description


def test_nothing_lies_outside_of_it() -> None:
    shown, chosen = points()
    root = ET.fromstring(landscape_chart(shown, chosen, WIDE))
    for ring in root.iter("circle"):
        assert 0 < float(ring.get("cx", "")) < WIDE
        assert 0 < float(ring.get("cy", "")) < 300


def test_a_tuning_of_nothing_has_no_picture() -> None:
    assert landscape_chart([], None, WIDE) == ""
