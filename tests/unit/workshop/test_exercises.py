"""Each check on evidence that was recorded from real servers: tests/record_workshop.py makes it."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import pytest
from attempts import WRONG
from support import ROOT

from wsgilab.lab.servers import load_lab
from wsgilab.lab.variants import add, parse
from wsgilab.model.manifest import Manifest
from wsgilab.model.vitals import Block, BlockPlan, Click
from wsgilab.results.judged import judge
from wsgilab.results.vitals import judge_vitals
from wsgilab.workshop import catalogue, evidence
from wsgilab.workshop.catalogue import Exercise
from wsgilab.workshop.checks import State, is_twin
from wsgilab.workshop.evidence import Evidence, Run

EVIDENCE = ROOT / "tests/evidence"
NOT_RECORDED = ("10-limits",)
"""It wants containers: tests/stack/test_exercise_of_limits.py does it there."""
EXERCISES = [one for one in catalogue.load() if one.name not in NOT_RECORDED]
OF_RUNS = [one for one in EXERCISES if list((EVIDENCE / one.name / "solution").glob("run-*"))]
VOID_OR_NOT = ("11-reload", "14-break-it")
"""What they look for is there, or is not, whether or not the measurement can be trusted; or it is a void window."""
BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
each = pytest.mark.parametrize("name", BY_NAME)


def recorded(name: str, what: str) -> Evidence:
    return evidence.read(EVIDENCE / name / what)


def test_what_is_not_recorded_is_known_by_name() -> None:
    for what in ("solution", "wrong"):
        assert {path.parent.name for path in EVIDENCE.glob(f"*/{what}")} == set(BY_NAME)


@pytest.mark.parametrize("exercise", catalogue.load(), ids=lambda exercise: exercise.name)
def test_nothing_is_no_evidence(exercise: Exercise) -> None:
    assert exercise.check(Evidence()).state == State.MISSING


@each
def test_the_typical_wrong_attempt_does_not_pass_and_hears_what_is_missing(name: str) -> None:
    found = recorded(name, "wrong")
    assert found.runs or found.records, WRONG[name].about
    outcome = BY_NAME[name].check(found)
    assert outcome.state == State.MISSING, outcome.said
    assert "missing" in outcome.said


@each
def test_the_solution_passes(name: str) -> None:
    outcome = BY_NAME[name].check(recorded(name, "solution"))
    assert outcome.state == State.PASSED, outcome.said


@each
def test_what_is_missing_is_named_without_the_answer(name: str) -> None:
    exercise = BY_NAME[name]
    for outcome in (exercise.check(Evidence()), exercise.check(recorded(name, "wrong"))):
        assert "--" not in outcome.said
        assert not any(command in outcome.said for command in exercise.solution_commands)


def void(run: Run) -> Run:
    windows = tuple(replace(window, void="k6 was short of CPU") for window in run.windows)
    return replace(run, windows=windows, verdict=judge(windows, run.manifest, []))


@pytest.mark.parametrize("name", [one.name for one in OF_RUNS if one.name not in VOID_OR_NOT])
def test_where_every_window_is_void_it_is_to_be_measured_again(name: str) -> None:
    runs = recorded(name, "solution").runs
    outcome = BY_NAME[name].check(Evidence(tuple(map(void, runs))))
    assert outcome.state == State.AGAIN, outcome.said
    assert "k6 was short of CPU" in outcome.said


def test_in_order_each_passes_by_its_own_solution_and_by_none_before_it() -> None:
    """All of it in one folder of results, as people have it."""
    runs: tuple[Run, ...] = ()
    records: tuple[evidence.Record, ...] = ()
    for exercise in EXERCISES:
        before = exercise.check(Evidence(runs, records))
        assert not before.passed, (exercise.name, before.said)
        solution = recorded(exercise.name, "solution")
        runs, records = (*solution.runs, *runs), (*solution.records, *records)
        after = exercise.check(Evidence(runs, records))
        assert after.passed, (exercise.name, after.said)
    for exercise in EXERCISES:
        assert exercise.check(Evidence(runs, records)).passed, exercise.name


@each
def test_a_check_looks_at_its_evidence_and_nothing_else(name: str) -> None:
    tree = ast.parse((BY_NAME[name].folder / "check.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"wsgilab.workshop.checks", "collections", "urllib.parse"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


def test_there_are_wrong_attempts_for_all() -> None:
    assert list(WRONG) == [exercise.name for exercise in catalogue.load()]


def test_a_run_without_gunicorn_is_about_something_else_than_its_workers() -> None:
    waits, computes = sorted(recorded("04-workers", "solution").runs, key=lambda run: run.workload == "cpu")
    others = replace(computes, verdict=replace(computes.verdict, servers=()))
    said = BY_NAME["04-workers"].check(Evidence((others, waits))).said
    assert said.startswith("A run with two different numbers of workers under a load that computes is missing.")


def test_a_twin_is_known_by_what_the_lab_says_of_one() -> None:
    """Recorded runs go on saying what the lab said in their time."""
    variants = [parse("twin=gunicorn"), parse("eight=gunicorn,GUNICORN_WORKERS=8")]
    servers = add(load_lab(ROOT, {}), variants).servers
    row = recorded("09-noise", "solution").runs[0].rows[0]
    rows = [
        replace(row, server=name, pattern=servers[name].pattern, variant_of=servers[name].variant_of)
        for name in ("gunicorn", "twin", "eight")
    ]
    assert list(map(is_twin, rows)) == [False, True, False]


def test_what_limits_did_counts_in_containers_only_and_each_part_by_itself() -> None:
    """Of exercise 10, without containers: a run of them as its verdict would say it."""
    run = evidence.read_run(ROOT / "tests/golden/run")

    def limited(engine: str, **seen: float) -> Run:
        rows = [replace(row, loads=tuple(replace(load, **seen) for load in row.loads)) for row in run.rows]
        return replace(run, verdict=replace(run.verdict, engine=engine, servers=tuple(rows)))

    exercise = catalogue.find(catalogue.load(), "10")
    frozen, killed, neither = (limited("compose", **seen) for seen in ({"throttled_s": 0.5}, {"oom_kills": 1.0}, {}))
    assert exercise.check(Evidence((frozen, killed))).passed
    assert "no process was killed" in exercise.check(Evidence((neither, frozen))).said
    assert "no server was throttled" in exercise.check(Evidence((neither, killed))).said
    local = limited("local", throttled_s=0.5, oom_kills=1.0)
    assert "A run in which a quota froze a server is missing." in exercise.check(Evidence((local,))).said


def script_of(exercise: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"workshop/{exercise}/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_burns_the_cpu_ends_with_whoever_started_it() -> None:
    somebody_else = str(os.getppid())
    subprocess.run(
        [sys.executable, "-c", script_of("14-break-it", "disturb").LOOP, somebody_else], timeout=30, check=True
    )


def test_nothing_is_disturbed_for_a_command_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    script = script_of("14-break-it", "disturb")
    monkeypatch.setattr(sys, "argv", ["disturb.py", "--visit", "./no-such-command"])
    disturbed: list[object] = []
    monkeypatch.setattr(script, "visit", disturbed.append)
    with pytest.raises(FileNotFoundError):
        script.main()
    assert not disturbed, "which nothing would end"


def test_a_docker_that_does_not_answer_leaves_the_command_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(command: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(command, 20)

    monkeypatch.setattr(subprocess, "run", hangs)
    assert script_of("11-reload", "reload").docker("ps") == ""


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("08-open-and-closed", {}),
        ("08-open-and-closed", {"stall_s": None, "closed": 1, "open": 2}),
        ("13-in-the-browser", {}),
        ("13-in-the-browser", {"log": 3}),
        ("13-in-the-browser", {"log": {"entries": [{}, {"request": {"url": "http://127.0.0.1:x/page"}}, None]}}),
    ],
)
def test_a_record_that_somebody_edited_is_no_evidence(name: str, data: dict[str, object]) -> None:
    kind = "har" if name == "13-in-the-browser" else "two-loads"
    exercise = next(one for one in catalogue.load() if one.name == name)
    assert exercise.check(Evidence(records=(evidence.Record(kind, "edited", data),))).state == State.MISSING


@pytest.mark.parametrize(("slow_ms", "state"), [(264.0, State.PASSED), (70.0, State.MISSING)])
def test_clicks_of_a_browser_are_evidence_too(slow_ms: float, state: State) -> None:
    blocks = [
        Block(
            BlockPlan(server, 60.0, number, 0, ("feedback first",), clicks=1),
            (Click("feedback first", 8.0, 1.0, ms, "element", interactions=1),),
        )
        for number in (1, 2)
        for server, ms in (("dev-single", slow_ms), ("gunicorn", 53.0))
    ]
    felt = evidence.Felt("run", judge_vitals(blocks, Manifest(), []))
    outcome = BY_NAME["13-in-the-browser"].check(Evidence(felt=(felt,)))
    assert outcome.state == state, outcome.said
