"""A gate from Python: what is measured, what it is compared with, and what is refused before minutes are spent."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from wsgilab import api
from wsgilab.errors import Interrupted, UsageError
from wsgilab.machine.revisions import Revision
from wsgilab.model.manifest import Manifest
from wsgilab.model.outcomes import Outcome
from wsgilab.model.request import Request
from wsgilab.model.verdict import Verdict
from wsgilab.results.folder import RunFolder
from wsgilab.results.result import Result

GOLDEN = ROOT / "tests/golden/run"
GUNICORN = Request(servers=("gunicorn",), rates_rps=(50.0, 100.0), duration_s=1.5)


@pytest.fixture
def golden(tmp_path: Path) -> Result:
    """A saved run, in a folder of its own."""
    folder = Path(shutil.copytree(GOLDEN, tmp_path / "run"))
    return api.report(folder)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, golden: Result) -> list[Request]:
    """Every request that would have been carried out; the saved run comes of each, measured on this machine."""
    requests: list[Request] = []

    def carry_out(request: Request, *_: object) -> Result:
        requests.append(request)
        return golden

    monkeypatch.setattr(api, "_carry_out", carry_out)
    monkeypatch.setattr("wsgilab.measure.manifest.host", lambda: golden.manifest.host)
    return requests


def test_without_anything_to_compare_with_the_objective_decides(asked: list[Request], golden: Result) -> None:
    found = api.gate(GUNICORN)
    assert found.gate
    assert {check.about for check in found.gate.checks} == {"slo"}
    assert asked[0].command == "gate"
    assert asked[0].seed is not None
    assert (golden.folder / "gate.json").is_file() if golden.folder else False


def test_a_run_passes_against_itself_as_a_baseline(asked: list[Request]) -> None:
    found = api.gate(GUNICORN, baseline=GOLDEN)
    assert found.gate
    assert found.gate.against == str(GOLDEN)
    assert len(asked) == 1
    worse = found.gate.of(Outcome.WORSE)
    assert worse == (), [check.sentence for check in worse]


def refused(**options: Any) -> UsageError:
    with pytest.raises(UsageError) as error:
        api.gate(options.pop("request", GUNICORN), **options)
    return error.value


def test_what_cannot_be_compared_is_refused_before_it_is_measured(asked: list[Request]) -> None:
    assert "cannot be combined" in refused(baseline=GOLDEN, against="main").what
    assert "duration 1.5 s and 2.5 s" in refused(baseline=GOLDEN, request=GUNICORN.but(duration_s=None)).what
    assert "has no gunicorn at 70 rps" in refused(baseline=GOLDEN, request=GUNICORN.but(rates_rps=(70.0,))).what
    assert "app app:app and shop:app" in refused(baseline=GOLDEN, request=GUNICORN.but(app="shop:app")).what
    assert "cpu sets: servers 0 and 0-1" in (
        refused(baseline=GOLDEN, request=GUNICORN.but(settings={"SERVER_CPUS": "0-1"})).what
    )
    assert "There is no revision" in refused(against="no/such/branch").what
    assert asked == []


def test_what_turns_out_to_be_another_engine_is_refused_when_it_is_known(
    asked: list[Request], golden: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(golden.verdict.conditions, engine="attached")
    verdict: Verdict = replace(golden.verdict, conditions=elsewhere)
    monkeypatch.setattr(api, "_carry_out", lambda *_: replace(golden, verdict=verdict))
    assert "engine local and attached" in refused(baseline=GOLDEN).what
    assert asked == []


def test_what_did_not_get_to_its_end_is_no_gate(monkeypatch: pytest.MonkeyPatch, golden: Result) -> None:
    monkeypatch.setattr(api, "_carry_out", lambda *_: replace(golden, trouble=Interrupted()))
    assert api.gate(GUNICORN).gate is None


def test_a_revision_is_measured_next_to_the_app_with_its_own_requirements(
    asked: list[Request], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now, was = tmp_path / "now", tmp_path / "was"
    for folder in (now, was):
        folder.mkdir()
        (folder / "requirements.txt").write_text(f"# {folder.name}\n")
    there: list[bool] = []

    class CheckedOut:
        def __init__(self, folder: Path, ref: str) -> None:
            assert (folder, ref) == (now, "main")

        def __enter__(self) -> Revision:
            there.append(True)
            return Revision("main (1f2e3d4)", was)

        def __exit__(self, *_: object) -> None:
            there.append(False)

    monkeypatch.setattr(api, "checked_out", CheckedOut)
    request = GUNICORN.but(app_dir=str(now), requirement_files=(str(now / "requirements.txt"),))
    found = api.gate(request, against="main")
    (asked_for,) = asked
    assert asked_for.before
    assert (asked_for.before.app_dir, asked_for.before.name) == (str(was), "main (1f2e3d4)")
    assert asked_for.before.requirement_files == (str(was / "requirements.txt"),)
    assert there == [True, False]
    assert [server.name for server in api.selection(asked_for)[1]] == ["gunicorn", "gunicorn-before"]
    assert found.gate
    assert found.gate.against == "main (1f2e3d4)"
    assert found.gate.outcome is Outcome.NOISY, "the saved run has no gunicorn-before: nothing to pass against"


def test_a_gates_verdict_recommends_no_server() -> None:
    """The app as it was is no server that anybody could choose."""
    folder = RunFolder.open(GOLDEN)
    manifest: Manifest = folder.read_manifest()[0]
    windows = folder.read()[0]
    assert api.judge(windows, manifest, []).answer
    assert api.judge(windows, replace(manifest, command="gate"), []).answer == ()
