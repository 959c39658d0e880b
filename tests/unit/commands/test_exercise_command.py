"""`./lab exercise` and `./lab quiz` as somebody uses them, without a measurement."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.workshop import catalogue, quiz


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def lab(results: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LAB_RESULTS": str(results), "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "wsgilab", *words],
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_list_says_what_is_left_and_what_comes_next(results: Path) -> None:
    done = lab(results, "exercise")
    assert done.returncode == 0, done.stderr
    assert "First verdict" in done.stdout
    assert "15 exercises and 3 h 30 min left. Next: ./lab exercise 1" in done.stdout


def test_an_exercise_is_shown_without_its_hints_and_its_solution(results: Path) -> None:
    done = lab(results, "exercise", "7")
    assert done.returncode == 0, done.stderr
    assert "Why nginx" in done.stdout
    assert "this folder: workshop/07-why-nginx" in done.stdout
    assert "127.0.0.1:8080/d/side-by-side" in done.stdout
    assert "Predict" in done.stdout
    assert "A sync worker reads a request from its visitor" not in done.stdout, (
        "that is why, and nobody has measured yet"
    )
    assert "What is looked for" not in done.stdout
    assert "Almost there" not in done.stdout
    assert catalogue.find(catalogue.load(), "7").solution_commands[0] not in done.stdout


def test_hints_open_one_by_one_and_stay_open(results: Path) -> None:
    shown = [lab(results, "exercise", "04-workers", "--hint").stdout.count("Hint ") for _ in range(4)]
    assert shown == [1, 2, 3, 3]
    assert lab(results, "exercise", "4").stdout.count("Hint ") == 3


def test_a_check_names_what_is_missing_then_passes_and_that_is_kept(results: Path) -> None:
    missing = lab(results, "exercise", "8", "--check")
    said = "not yet 8. Open and closed load. A result of two_loads.py is missing."
    assert (missing.returncode, missing.stdout.splitlines()[0]) == (6, said)
    assert "do the two loads agree?" not in missing.stdout, "there is nothing to observe"
    shutil.copytree(ROOT / "tests/evidence/08-open-and-closed/wrong", results, dirs_exist_ok=True)
    attempted = lab(results, "exercise", "8", "--check")
    assert (attempted.returncode, "do the two loads agree?" in attempted.stdout) == (6, True), attempted.stdout
    shown = lab(results, "exercise", "8").stdout
    assert ("do the two loads agree?" in shown, "Gil" in shown) == (True, False), (
        "what it means comes with the evidence"
    )
    shutil.copytree(ROOT / "tests/evidence/08-open-and-closed/solution", results, dirs_exist_ok=True)
    passed = lab(results, "exercise", "8", "--check", "--json")
    assert passed.returncode == 0
    assert json.loads(passed.stdout)["state"] == "passed"
    assert "Gil" in lab(results, "exercise", "8").stdout
    exported = json.loads(lab(results, "exercise", "--export").stdout)
    assert [one["state"] for one in exported["exercises"][6:9]] == ["open", "passed", "open"]
    assert exported["minutes_left"] == 195
    lab(results, "exercise", "8", "--reset")
    assert lab(results, "exercise", "8", "--check").returncode == 6
    assert json.loads(lab(results, "exercise", "--json").stdout)[7]["state"] == "open"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("16",), "There is no exercise '16'"),
        (("04-worker",), "did you mean '04-workers'?"),
        (("--check",), "Next: ./lab exercise 1 --check"),
        (("1", "--solve", "--json"), "--json and --solve cannot be combined"),
        (("1", "--json"), "--json and the text of an exercise cannot be combined"),
        (("--slides", "--json"), "--json and --slides cannot be combined"),
    ],
)
def test_what_cannot_be_meant_is_refused(results: Path, words: tuple[str, ...], says: str) -> None:
    done = lab(results, "exercise", *words)
    assert done.returncode == 2
    assert says in done.stderr


def test_the_solution_is_shown_and_run_and_a_command_that_fails_ends_it(results: Path) -> None:
    """Nothing is measured: there is no engine of that name."""
    environment = {**os.environ, "LAB_RESULTS": str(results), "PYTHONPATH": str(ROOT), "LAB_ENGINE": "none"}
    done = subprocess.run(
        [sys.executable, "-m", "wsgilab", "exercise", "1", "--solve"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "$ ./lab run --quick" in done.stdout
    assert done.returncode == 2
    assert json.loads((results / "workshop/progress.json").read_text())["exercises"]["01-first-verdict"]["solved_at"]


def test_the_linter_is_a_command(results: Path) -> None:
    done = lab(results, "exercise", "--lint")
    assert (done.returncode, done.stdout) == (0, "The exercises, the quiz and the timetables are sound.\n"), done.stderr


def test_the_quiz_explains_keeps_score_and_goes_on_where_it_was_left(results: Path) -> None:
    first, second = quiz.load()[:2]
    wrong = next(letter for letter, choice in second.lettered if not choice.right)
    done = lab(results, "quiz", typed=f"nonsense\n{first.right}\n{wrong.upper()}\n")
    assert done.returncode == 0, done.stderr
    assert "Right." in done.stdout
    assert f"See it: ./lab exercise {int(second.exercise[:2])}" in done.stdout
    assert f"1 of 2 right, {len(quiz.load()) - 2} to go: ./lab quiz goes on." in done.stdout
    again = lab(results, "quiz")
    assert f"3 of {len(quiz.load())}." in again.stdout
    assert "1 of 2 right" in again.stdout
    assert "0 of 0 right" in lab(results, "quiz", "--again").stdout


def test_a_damaged_file_of_progress_is_told_with_its_cure(results: Path) -> None:
    (results / "workshop").mkdir(parents=True)
    (results / "workshop/progress.json").write_text("{")
    done = lab(results, "exercise")
    assert done.returncode == 2
    assert f"Next: mv {results / 'workshop/progress.json'}" in done.stderr
