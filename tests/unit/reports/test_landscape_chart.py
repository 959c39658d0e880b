"""The landscape of a tuning as a picture, and in words for those who do not see it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from simulated_apps import NAMED, App, question_for
from tuned_folder import tuning_of

from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model.tuning import Question
from wsgilab.reports.landscape_chart import landscape_chart
from wsgilab.reports.svg import NARROW, WIDE

BY_NAME = {app.name: app for app in NAMED}


def drawn(app: App, question: Question, width: float = WIDE) -> tuple[Tuning, ET.Element]:
    tuning = tuning_of(app, question)
    return tuning, ET.fromstring(landscape_chart(tuning, width))


def cells(root: ET.Element) -> list[ET.Element]:
    return [cell for cell in root.iter("rect") if cell.get("class") == "cell"]


def figures(root: ET.Element) -> list[str]:
    return [text.text or "" for text in root.iter("text") if "in-cell" in text.get("class", "")]


@pytest.mark.parametrize("family", ["gunicorn", "uwsgi"])
def test_every_setting_has_a_cell_of_its_own_and_every_measured_one_a_figure(family: str) -> None:
    tuning, root = drawn(BY_NAME["mix"], question_for(family))
    places = [(cell.get("x"), cell.get("y")) for cell in cells(root)]
    assert len(places) == len(set(places)) == len(tuning.question.settings)
    known = [point for point in tuning.measured if point.died or point.reached_rps or point.missed_rps]
    assert len(figures(root)) == len(known) > 5


def test_the_recommended_setting_is_marked_and_so_is_what_it_is_compared_with() -> None:
    tuning, root = drawn(BY_NAME["mix"], question_for("gunicorn"))
    marks = [mark.get("class") for mark in root.iter("rect") if mark.get("class") != "cell"]
    assert marks.count("chosen") == 1
    assert marks.count("compared") == len(tuning.contenders) - 1
    told = root.findtext("desc") or ""
    assert told.count("(recommended)") == 1
    assert tuning.setting
    assert f"{tuning.setting.name}: " in told


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("cpus", [1, 8])
def test_nothing_lies_outside_of_it_and_no_figure_outside_of_its_cell(width: float, cpus: int) -> None:
    _, root = drawn(BY_NAME["io"], question_for("gunicorn", cpus), width)
    height = float(root.get("viewBox", "").split()[3])
    for cell in cells(root):
        x, y, wide, high = (float(cell.get(name, "")) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height
    widest = float(cells(root)[0].get("width", ""))
    assert all(7 * len(figure) <= widest for figure in figures(root))


def test_what_died_has_a_cross_and_what_has_no_room_is_white() -> None:
    tuning, root = drawn(BY_NAME["two workers only"], question_for("gunicorn"))
    died = [point for point in tuning.points if point.died]
    assert died
    assert figures(root).count("✕") == len(died)
    tuning, root = drawn(BY_NAME["heavy"], question_for("gunicorn", memory_mb=512))
    white = [cell for cell in cells(root) if cell.get("fill-opacity") == "0.00"]
    too_large = [point for point in tuning.points if (point.predicted_mb or 0) > 512 or point.died]
    assert len(white) == len(too_large) > 0


def test_a_tuning_of_nothing_has_no_picture() -> None:
    tuning = tuning_of(BY_NAME["mix"], question_for("gunicorn"), most=0)
    assert landscape_chart(replace(tuning, points=()), WIDE) == ""
