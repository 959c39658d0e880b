"""`./lab report DIR` of a tuning: the whole of it again from its windows, and its files anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from simulated_apps import NAMED, question_for
from tuned_folder import saved

from wsgilab import api
from wsgilab.commands.report import command
from wsgilab.errors import EXIT_DONE

BY_NAME = {app.name: app for app in NAMED}
OF_GUNICORN = {"gunicorn.conf.py", "nginx.conf", "Dockerfile.cmd", "app.service"}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return saved(tmp_path / "tuning", BY_NAME["mix"], question_for("gunicorn"))


def test_a_report_writes_every_file_of_a_tuning(folder: Path) -> None:
    result = api.report(folder)
    assert result.tuning
    assert result.tuning.setting
    assert {path.name for path in (folder / "ready").iterdir()} == OF_GUNICORN
    assert result.tuning.advice.answer in (folder / "report.md").read_text().replace("\\", "").replace("&lt;", "<")
    assert "The landscape" in (folder / "report.html").read_text()
    assert json.loads((folder / "verdict.json").read_text())["answer"] == list(result.tuning.sentences)


def test_the_same_windows_give_the_same_bytes(folder: Path) -> None:
    api.report(folder)
    first = files_of(folder)
    api.report(folder)
    assert files_of(folder) == first


def test_the_command_prints_the_advice_or_its_json(folder: Path) -> None:
    shown = CliRunner().invoke(command, [str(folder)], standalone_mode=False)
    assert shown.return_value == EXIT_DONE
    assert "keeps p99<250ms up to" in shown.stdout
    assert "ready" in shown.stdout
    data = json.loads(CliRunner().invoke(command, [str(folder), "--json"], standalone_mode=False).stdout)
    assert data["recommended"]["family"] == "gunicorn"
    assert {role for one in data["contenders"] for role in one["roles"]} >= {"recommended", "2n + 1"}


def test_a_tuning_that_was_interrupted_is_reported_as_far_as_it_got(tmp_path: Path) -> None:
    result = api.report(saved(tmp_path / "tuning", BY_NAME["mix"], question_for("gunicorn"), most=9))
    assert result.tuning
    assert not result.tuning.found.finished
    assert any("ended before all was settled" in sentence for sentence in result.tuning.sentences)


def test_two_tunings_are_compared_by_what_they_recommend_and_by_the_settings_that_both_measured(tmp_path: Path) -> None:
    folders = [str(saved(tmp_path / f"{seed}", BY_NAME["mix"], question_for("gunicorn", seed=seed))) for seed in (1, 2)]
    shown = CliRunner().invoke(command, [*folders, "--json"], standalone_mode=False)
    said = json.loads(shown.stdout)
    assert [note.partition(" recommends ")[0] for note in said["notes"]] == ["The first", "The second"]
    assert {"gunicorn-sync-3", "gunicorn-sync-4"} <= {change["server"] for change in said["changes"]}
    assert {change["metric"] for change in said["changes"]} == {"capacity_rps"}


def test_a_link_in_the_place_of_the_ready_files_is_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "ready").symlink_to(elsewhere)
    assert api.report(folder).trouble
    assert not list(elsewhere.iterdir())


def test_a_tuning_that_was_killed_is_judged_by_the_settings_that_it_tried(folder: Path) -> None:
    """Its manifest is that of the beginning, with every setting that there is."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["servers"] = [{"name": setting.name} for setting in question_for("gunicorn").settings]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    result = api.report(folder)
    assert {row.server for row in result.verdict.servers} == {window.plan.server for window in result.windows}
