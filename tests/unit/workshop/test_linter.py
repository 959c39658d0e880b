"""The linter: what is committed is sound, all that can be wrong is named, and others may add exercises of theirs."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.commands import command_lines
from wsgilab.workshop import catalogue, evidence, linter
from wsgilab.workshop.checks import State
from wsgilab.workshop.linter import Workshop, lint

HOW_TO = (ROOT / "docs/how-to.md").read_text(encoding="utf-8")


@pytest.fixture
def copied(tmp_path: Path) -> Workshop:
    folder = tmp_path / "workshop"
    shutil.copytree(ROOT / "workshop", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    for text in (ROOT / "docs").glob("*.md"):
        shutil.copy(text, tmp_path / "docs")
    return Workshop(folder, tmp_path / "docs/workshop.md", ROOT / "grafana/dashboards")


def accept(_line: str) -> None:
    """Take any command line: for tests of everything else, which are quicker so."""


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_is_committed_is_sound() -> None:
    assert (
        lint(Workshop(ROOT / "workshop", ROOT / "docs/workshop.md", ROOT / "grafana/dashboards"), command_lines.refusal)
        == []
    )


SPOILT: list[tuple[str, str, str, str]] = [
    ("04-workers/README.md", "minutes: 15", "minutes: 16", "04-workers takes 16 minutes, not 15"),
    ("04-workers/README.md", "minutes: 15", "minutes: fifteen", "cannot be used: above its text"),
    ("04-workers/README.md", "minutes: 15", "minutes: 90", "90 minutes is not a length"),
    ("04-workers/README.md", "minutes:", "minuets:", "cannot be used: above its text"),
    ("04-workers/README.md", "/d/capacity", "/d/capacities", "/d/capacities is not a dashboard"),
    ("04-workers/README.md", "## Predict", "## Prediction", "must have the sections"),
    ("04-workers/README.md", "courses: [60, 120, 240]", "courses: [60, 240]", "differs"),
    ("04-workers/README.md", "courses: [60, 120, 240]", "courses: [60, 90]", "no workshop of 90 minutes"),
    (
        "04-workers/README.md",
        "## Take home",
        "[where](gone.md)\n\n## Take home",
        "links to gone.md, which is not there",
    ),
    ("10-limits/README.md", "needs: [docker]", "needs: [luck]", "nobody knows what 'luck' is"),
    ("04-workers/hints.md", "## Almost there", "Almost there", "must have 3 hints"),
    (
        "14-break-it/hints.md",
        "## Why a",
        "    python3 workshop/14-break-it/disturb.py --visit ./lab run --servers gunicorn "
        "--workload hello --rate 50 --rounds 1\n\n## Why a",
        "gives the solution away",
    ),
    ("08-open-and-closed/check.py", "def check(", "def checks(", "has no function check"),
    ("04-workers/README.md", "command: ./lab run", "command: ./lab run --quick", "does not stand under Run"),
    (
        "01-first-verdict/README.md",
        "## Run\n\n    ./lab run --quick",
        "    ./lab run --quick\n\n## Run\n\nIt.",
        "does not stand under Run",
    ),
    ("09-noise/solution.md", "    ./lab run", "    ./lab run" + " --rate 100" * 9, "a command of 1"),
    ("quiz.yaml", "exercise: 04-workers", "exercise: 04-worker", "names the exercise 04-worker, which is not there"),
    ("quiz.yaml", "  lesson: true", "  lesson: false", "lacks questions of the lesson"),
    ("quiz.yaml", "right: true", "right: false", "one of them right"),
]


@pytest.mark.parametrize(("file", "old", "new", "fault"), SPOILT)
def test_what_is_wrong_is_named(copied: Workshop, file: str, old: str, new: str, fault: str) -> None:
    replaced(copied.folder / file, old, new)
    assert any(fault in said for said in lint(copied, accept)), lint(copied, accept)


def test_a_timetable_must_add_up(copied: Workshop) -> None:
    replaced(copied.timetable, "| 5 | Welcome |", "| 6 | Welcome |")
    assert lint(copied, accept) == ["workshop.md: the parts of 120 minutes add up to 121"]


def test_numbers_have_no_gap(copied: Workshop) -> None:
    shutil.rmtree(copied.folder / "07-why-nginx")
    assert any("without a gap" in said for said in lint(copied, accept))


@pytest.mark.parametrize("file", ["hints.md", "solution.md", "check.py"])
def test_a_file_that_is_not_there_is_named(copied: Workshop, file: str) -> None:
    (copied.folder / "04-workers" / file).unlink()
    assert any(file in said for said in lint(copied, accept))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("./lab run --servers gunicorn --rate 50   # a comment", None),
        ("GUNICORN_WORKERS=8 ./lab run --quick", None),
        ("./lab capacity --servers gunicorn --keep-alive both", None),
        ("./lab run --rigorous --json --keep-alive", None),
        (
            "./lab gate --servers gunicorn --against main --baseline old --tolerance 5% --github --junit a.xml "
            "--markdown a.md --keep-alive new",
            None,
        ),
        ("docker compose up", None),
        ("./lab exercise 4 --check", None),
        ("python3 workshop/14-break-it/disturb.py --burn ./lab run --quick", None),
        ("./lab run --serves gunicorn", "has no option '--serves'"),
        ("./lab run --servers gunicron", "gunicron"),
        ("./lab run --variant a=gunicorn,GUNICORN_WORKER=8", "GUNICORN_WORKER"),
        ("./lab rnu", "no command 'rnu'"),
        ("./lab", "No command"),
        ("python3 workshop/gone.py", "not there"),
        ("python3 workshop/14-break-it/disturb.py --burn ./lab run --rate x", "rate"),
        ("rm -rf results", "begins with 'rm'"),
        ("./lab run --slo 'p99", "not a command line"),
    ],
)
def test_a_command_line_is_tried_without_running_it(line: str, why: str | None) -> None:
    said = command_lines.refusal(line)
    assert said is None if why is None else why in (said or "accepted")


def test_a_command_goes_on_after_a_backslash() -> None:
    text = "Words\n\n    ./lab run \\\n      --rate 50   # all of it\n    ./lab quiz\n\nmore"
    assert catalogue.commands_in(text) == ("./lab run --rate 50   # all of it", "./lab quiz")


def files_of_the_how_to() -> dict[str, str]:
    """The files of the exercise that docs/how-to.md adds."""
    section = HOW_TO.partition("## Write an exercise\n")[2].partition("\n## Run on")[0]
    return dict(re.findall(r"^`workshop/([^`]+)`:.*?^```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))


def test_the_exercise_of_the_how_to_can_be_added(copied: Workshop) -> None:
    files = files_of_the_how_to()
    assert len(files) == 4
    for name, text in files.items():
        (copied.folder / name).parent.mkdir(exist_ok=True)
        (copied.folder / name).write_text(text, encoding="utf-8")
    assert lint(copied, command_lines.refusal) == []
    added = catalogue.load(copied.folder)[-1]
    assert (added.number, added.front.title) == (16, "Larger answers")
    run = evidence.read_run(ROOT / "tests/golden/run")
    hello, large = (replace(run, verdict=replace(run.verdict, workload=name)) for name in ("hello", "/json"))
    assert added.check(evidence.Evidence((hello,))).state == State.MISSING
    assert added.check(evidence.Evidence((hello, large))).passed


def test_a_timetable_names_what_is_no_part_of_it(copied: Workshop) -> None:
    replaced(
        copied.timetable,
        "| 15 | [6. uWSGI and its queue]",
        "| 15 | [6. uWSGI](../workshop/03-the-dev-server/README.md) [",
    )
    faults = lint(copied, accept)
    assert any(said.startswith("03-the-dev-server/README.md does not say") for said in faults), faults


def test_every_need_and_course_of_the_linter_is_used() -> None:
    exercises = catalogue.load()
    assert {need for one in exercises for need in one.front.needs} == set(linter.NEEDS)
    assert {course for one in exercises for course in one.front.courses} == set(linter.COURSES)
