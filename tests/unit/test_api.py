"""The lab as a library: silent, typed, and used twice or by two threads without tripping over itself."""

from __future__ import annotations

import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import window
from support import ROOT

import wsgilab
from wsgilab import Listener, Request, Result, Stop, api
from wsgilab.errors import Interrupted, MissingError, UsageError
from wsgilab.model.manifest import Manifest
from wsgilab.model.needs import Needs, State
from wsgilab.results.place import turn_in_this_process

GOLDEN = ROOT / "tests/golden/run"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A copy of a saved run."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "run"))


def test_what_a_script_imports_is_what_it_gets() -> None:
    from wsgilab import capacity, report, run

    assert (run, capacity, report) == (api.run, api.capacity, api.report)
    assert all(getattr(wsgilab, name) for name in wsgilab.__all__)
    assert set(wsgilab.__all__) == set(api.__all__)
    with pytest.raises(AttributeError):
        _ = wsgilab.rnu
    assert (ROOT / "wsgilab/py.typed").exists()


def test_a_report_is_silent_and_holds_everything(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = api.report(str(saved))
    assert capsys.readouterr() == ("", "")
    assert (result.folder, result.trouble, result.unreadable) == (saved, None, ())
    assert len(result.windows) == len(result.verdict.windows) > 0
    assert result.manifest.command == "run"
    assert (saved / "report.md").read_text() == (GOLDEN / "report.md").read_text()


def test_what_cannot_be_read_or_written_is_told_and_the_verdict_is_there(saved: Path) -> None:
    with (saved / "windows.jsonl").open("a") as file:
        file.write("damaged\n")
    (saved / "report.html").unlink(missing_ok=True)
    (saved / "report.html").mkdir()  # in the way, for root too
    result = api.report(saved)
    assert "is damaged: skipped" in result.unreadable[0]
    assert isinstance(result.trouble, MissingError)
    assert result.verdict.servers
    with pytest.raises(UsageError, match="holds no windows"):
        api.report(saved / "elsewhere")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request(servers=("gunicron",)), "There is no server 'gunicron'"),
        (Request(workload="mixed"), "There is no workload 'mixed'"),
        (Request(slots=(8,), servers=("dev-single",)), "None of these servers can have 8 slots"),
        (Request(app_dir="/nowhere/at/all"), "--app-dir /nowhere/at/all is not a folder"),
        (Request(variants=("twin",)), "names no server"),
        (Request(slo="fast"), "fast"),
        (Request(settings={"GUNICORN_PORT": "none"}), "which is not a port"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_starts(request_: Request, said: str) -> None:
    for measure in (api.run, api.capacity):
        with pytest.raises(UsageError, match=said):
            measure(request_)


def test_a_frame_has_a_row_for_each_window_and_needs_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, Any]] = []

    class Pandas:
        @staticmethod
        def DataFrame(given: list[dict[str, Any]]) -> str:
            rows.extend(given)
            return "a frame"

    void = replace(window("gunicorn", round=2), void="k6 was late", notes=("a", "b"))
    windows = (window("gunicorn"), void)
    result = Result(api.judge(windows, Manifest(), []), windows, None)
    monkeypatch.setitem(sys.modules, "pandas", Pandas)
    assert result.to_dataframe() == "a frame"
    assert [row["round"] for row in rows] == [1, 2]
    assert [row["void"] for row in rows] == [None, "k6 was late"]
    assert rows[0]["p99_ms"] > rows[0]["p50_ms"] > 0
    assert rows[0]["p99_ms_censored"] is False
    assert all(isinstance(value, str | float | int | bool | None) for row in rows for value in row.values())
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingError, match="pandas is not installed"):
        result.to_dataframe()


def test_a_second_thread_waits_for_its_turn_and_says_so() -> None:
    said, order, measuring, go_on = [], [], threading.Event(), threading.Event()

    class Noted(Listener):
        def message(self, text: str) -> None:
            said.append(text)
            go_on.set()

    def first() -> None:
        with turn_in_this_process(Stop(), Listener()):
            measuring.set()
            go_on.wait(60)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    measuring.wait(60)
    with turn_in_this_process(Stop(), Noted()):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert said == ["Waiting for another run of this process to end."]


def test_who_waits_can_be_stopped_and_the_turn_stays_with_the_other() -> None:
    stop = Stop()
    stop.request()
    with turn_in_this_process(Stop(), Listener()):
        with pytest.raises(Interrupted), turn_in_this_process(stop, Listener()):
            raise AssertionError("it was not its turn")
        with pytest.raises(Interrupted), turn_in_this_process(stop, Listener()):
            raise AssertionError("nor is it now")


@pytest.mark.parametrize("engine", ["attached", "kubernetes"])
def test_a_tuning_is_refused_where_nobody_starts_servers(engine: str) -> None:
    with pytest.raises(UsageError, match=f"no tuning with --engine {engine}"):
        api.tune(Request(command="tune", engine=engine, families=("gunicorn",)))


def test_a_tuning_in_containers_is_refused_for_an_app_that_wants_copies_of_its_folder() -> None:
    request = Request(command="tune", engine="compose", families=("gunicorn",), needs=Needs(state=State(setup="make")))
    with pytest.raises(UsageError, match="makes no copies"):
        api.tune(request)


def test_a_tuning_in_containers_gives_them_the_memory_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []
    monkeypatch.setattr(api, "_carry_out", lambda request, *_: asked.append(request))
    for engine in ("compose", "auto"):
        api.tune(Request(command="tune", engine=engine, families=("gunicorn",), memory_mb=512 * 2**20 / 1e6))
    inside, here = asked
    assert (inside.engine, inside.settings) == ("compose", {"SERVER_MEMORY": "536870912b"})
    assert (here.engine, here.settings) == ("local", {})
    assert inside.fingerprint
    assert inside.fingerprint != here.fingerprint, "they are measured in different ways"


def test_without_a_browser_nothing_is_installed_for_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text("flask\n")
    monkeypatch.setenv("LAB_BROWSER", str(tmp_path / "nothing"))
    monkeypatch.setattr("wsgilab.engines.own_app.prepared", lambda *_: pytest.fail("the app was prepared"))
    with pytest.raises(MissingError) as missing:
        api.vitals(Request(engine="local", app="app:app", app_dir=str(tmp_path)))
    assert "no browser" in missing.value.what
