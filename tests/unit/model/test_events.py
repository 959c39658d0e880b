"""What the runner in a container tells is what the ./lab outside hears."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from factories import window

from wsgilab.errors import Interrupted, LabError, MissingError, NoValidWindow
from wsgilab.model.checkup import Answer, Answers, Checkup, Import, Question, Statement
from wsgilab.model.events import Ended, Hearer, Teller
from wsgilab.model.listener import Listener, Outline
from wsgilab.model.manifest import Manifest, ServerEntry
from wsgilab.model.window import Window, WindowPlan

OUTLINE = Outline("run", ("gunicorn",), "mix", (100.0,), 2, 2.5, "p99<250ms", 7, 2, 12.0)
WINDOW = window("gunicorn")
TOLD = Statement(11, 1.5, 1.6, 0.01, True, False, "127.0.0.1", "", ("poller",), Import(11, 0.2, ("poller",), ()), 30.0)
ANSWER = Answer(200, (("content-type", "text/html"),), "hello", 1.0, 1.1, 1.2, statement=TOLD)
ANSWERS = Answers(Question("home", "GET", "/"), (ANSWER, Answer(None, error="closed")), forwarded=ANSWER)
CHECKUP = Checkup("gunicorn", None, 4, "gunicorn", "gunicorn:8000", (ANSWERS,), trouble=("no", "why", "next"))
MISSING = MissingError("No k6.", "not installed", "install k6")


class Noted(Listener):
    """Remembers everything that it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def planned(self, outline: Outline) -> None:
        self.heard.append(outline)

    def window_started(self, plan: WindowPlan) -> None:
        self.heard.append(plan)

    def window_measured(self, window: Window) -> None:
        self.heard.append(window)

    def round_ended(self, number: int, windows: Sequence[Window]) -> None:
        self.heard.append((number, tuple(windows)))

    def checked_up(self, checkup: Checkup) -> None:
        self.heard.append(checkup)

    def message(self, text: str) -> None:
        self.heard.append(text)

    def warning(self, problem: LabError) -> None:
        self.heard.append((type(problem), str(problem)))

    def output(self, line: str) -> None:
        self.heard.append(f"output {line}")


def test_everything_that_is_told_is_heard() -> None:
    lines: list[str] = []
    teller, noted = Teller(lines.append), Noted()
    teller.planned(OUTLINE)
    teller.window_started(WINDOW.plan)
    teller.window_measured(WINDOW)
    teller.round_ended(1, [WINDOW])
    teller.checked_up(CHECKUP)
    teller.message("Waiting.")
    teller.warning(MISSING)
    hearer = Hearer(noted)
    for line in [*lines, " Container runner  Created"]:
        assert "\n" not in line
        hearer.understand(line)()
    assert noted.heard == [
        OUTLINE,
        WINDOW.plan,
        WINDOW,
        (1, (WINDOW,)),
        CHECKUP,
        "Waiting.",
        (MissingError, str(MISSING)),
        "output  Container runner  Created",
    ]
    assert hearer.ended is None


@pytest.mark.parametrize("trouble", [None, Interrupted(), MISSING, NoValidWindow()])
def test_the_end_comes_with_everything_that_a_result_needs(trouble: LabError | Interrupted | None) -> None:
    manifest = Manifest(command="run", servers=(ServerEntry("gunicorn", slots=4),), order=((1, "gunicorn", 100.0),))
    lines: list[str] = []
    teller = Teller(lines.append)
    teller.window_measured(WINDOW)
    teller.checked_up(CHECKUP)
    teller.ended(Ended(manifest, "/results/run", trouble))
    hearer = Hearer(Listener())
    for line in lines:
        hearer.understand(line)()
    assert hearer.ended
    assert dataclasses.replace(hearer.ended, trouble=None) == Ended(
        manifest, "/results/run", None, (WINDOW,), (CHECKUP,)
    )
    assert str(hearer.ended.trouble) == str(trouble)


@pytest.mark.parametrize(
    "line",
    ['{"lab":"danced","content":1}', '{"lab":"planned","content":{}}', '{"lab":"window_measured"', '{"lab":"ended"}'],
)
def test_a_line_of_another_version_is_told_from_output(line: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Hearer(Listener()).understand(line)
