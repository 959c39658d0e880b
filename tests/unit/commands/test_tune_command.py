"""`./lab tune --server all`: one server after the other, then one page about all; `./lab report` shows that again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from simulated_apps import NAMED, question_for
from tuned_folder import saved

from wsgilab import api
from wsgilab.commands.report import command as report
from wsgilab.commands.tune import command as tune
from wsgilab.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_MISSING, EXIT_USAGE, Interrupted, MissingError, UsageError
from wsgilab.model.request import Request
from wsgilab.results import result

BY_NAME = {app.name: app for app in NAMED}
NO_NGINX = MissingError("nginx was not found.", "it is not installed", "./lab doctor")

Tune = Callable[..., Result]


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs the command; a tuning takes no time, and a family that is among `fails` raises that."""
    monkeypatch.setenv("LAB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str, **fails: Exception) -> Result:
        def tuning(request: Request, *_: object) -> result.Result:
            (family,) = request.families
            if family in fails:
                raise fails[family]
            folder = Path(request.out) if request.out else tmp_path / "results" / f"20260301T120005Z-tune-{family}"
            return api.report(saved(folder, BY_NAME["mix"], question_for(family)))

        monkeypatch.setattr(api, "tune", tuning)
        return CliRunner().invoke(tune, ["--server", "all", *words], standalone_mode=False)

    return run


def page_of(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "results").glob("*-tune-all")
    return folder


def test_several_servers_end_with_one_page_about_all(tuned: Tune, tmp_path: Path) -> None:
    ended = tuned()
    assert ended.return_value == EXIT_DONE, ended.output
    assert "Of all: " in ended.stdout
    folder = page_of(tmp_path)
    assert f"Kept in {folder}: tunings.json, report.html, report.md" in ended.stdout
    page, text = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    for family in ("gunicorn", "uwsgi"):
        assert f'href="../20260301T120005Z-tune-{family}/report.html"' in page
    for said in (page, text):
        assert "Of all: " in said
        assert "Gunicorn was measured without a proxy, uWSGI behind nginx" in said
    data = json.loads((folder / "tunings.json").read_text())
    assert {row["family"] for row in data["families"]} == {"gunicorn", "uwsgi"}


def test_a_folder_of_one_s_own_holds_all_of_it(tuned: Tune, tmp_path: Path) -> None:
    assert tuned("--out", str(tmp_path / "mine")).return_value == EXIT_DONE
    page = (tmp_path / "mine" / "report.html").read_text()
    assert 'href="gunicorn/report.html"' in page
    assert (tmp_path / "mine" / "uwsgi" / "tuning.json").is_file()


def test_a_folder_that_holds_a_run_is_refused_before_anything_is_measured(tuned: Tune, tmp_path: Path) -> None:
    (tmp_path / "windows.jsonl").touch()
    ended = tuned("--out", str(tmp_path), gunicorn=AssertionError("measured"))
    assert isinstance(ended.exception, UsageError)
    assert ended.exception.exit_code == EXIT_USAGE


@pytest.mark.parametrize(("error", "code"), [(NO_NGINX, EXIT_MISSING), (Interrupted(), EXIT_INTERRUPTED)])
def test_where_the_second_server_cannot_be_measured_the_first_is_not_lost(
    tuned: Tune, error: Exception, code: int
) -> None:
    ended = tuned("--json", uwsgi=error)
    assert ended.return_value == code
    assert json.loads(ended.stdout)["gunicorn"]["recommended"]["family"] == "gunicorn"
    assert "nginx was not found" in ended.stderr or "interrupted" in ended.stderr


def test_where_the_first_cannot_be_measured_that_is_all_there_is_to_say(tuned: Tune) -> None:
    assert tuned(gunicorn=NO_NGINX).exception is NO_NGINX


def test_a_report_shows_all_of_it_again_and_writes_the_same_page(tuned: Tune, tmp_path: Path) -> None:
    first = tuned()
    folder = page_of(tmp_path)
    page = (folder / "report.html").read_bytes()
    again = CliRunner().invoke(report, [str(folder)], standalone_mode=False)
    assert again.return_value == EXIT_DONE
    assert again.stdout == first.stdout
    assert (folder / "report.html").read_bytes() == page
    data = json.loads(CliRunner().invoke(report, [str(folder), "--json"], standalone_mode=False).stdout)
    assert data.keys() == {"gunicorn", "uwsgi", "of_all"}


@pytest.mark.parametrize("runs", ['["/etc"]', '["../../elsewhere"]', "[]", "7", '[".."]'])
def test_a_page_that_leads_elsewhere_is_not_followed(tuned: Tune, tmp_path: Path, runs: str) -> None:
    tuned()
    folder = page_of(tmp_path)
    (folder / "tunings.json").write_text(f'{{"runs": {runs}}}')
    ended = CliRunner().invoke(report, [str(folder)], standalone_mode=False)
    assert isinstance(ended.exception, UsageError)
    assert "does not say which tunings belong together" in ended.exception.what
