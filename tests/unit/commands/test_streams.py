"""Whoever looks on, and how, changes neither what a command does nor how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from factories import manifest, story
from rich.text import Text
from support import ROOT

from wsgilab import api
from wsgilab.commands import console, streams
from wsgilab.results.folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that can be reported."""
    folder = RunFolder.create(tmp_path / "run")
    folder.write_manifest(manifest(command="run", slo="p99<250ms"))
    for window in story(2):
        folder.append(window)
    return folder.path


def report(folder: Path, arguments: Sequence[str] = (), **options: Any) -> subprocess.CompletedProcess[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "wsgilab", "report", str(folder), *arguments]
    return subprocess.run(command, cwd=ROOT, text=True, check=False, **{**pipes, **options})


EVIL = "mix\x1b]0;owned\x1b\\\x1b[31m\x9b2J\u202e\r\x07"


def test_no_way_to_a_terminal_passes_on_what_it_would_obey(run: Path) -> None:
    """In names, in what happened, in keys of the manifest; colours that are ours stay."""
    spoilt = json.loads((run / "windows.jsonl").read_text().splitlines()[0])
    spoilt["plan"]["server"] = spoilt["died"] = EVIL
    spoilt["notes"] = [EVIL]
    with (run / "windows.jsonl").open("a") as file:
        file.write(json.dumps(spoilt) + "\n")
    servers = [{"name": EVIL, "pattern": EVIL, "concurrency": EVIL}]
    said = {"command": "run", "workload": EVIL, "engine": EVIL, "slo": EVIL, "servers": servers}
    (run / "manifest.json").write_text(json.dumps(said))
    for arguments in ([], ["--json"], [str(run)]):
        done = report(run, arguments=arguments)
        assert done.returncode == 0, done.stderr
        written = done.stdout + done.stderr
        assert not set(written) & set("\x1b\x9b\u202e\r\x07")
        assert "]0;owned" in written
    for name in ("verdict.json", "report.md", "report.html"):
        assert not set((run / name).read_text()) & set("\x1b\x9b\u202e\x07")


def test_colours_of_ours_reach_a_terminal_and_those_in_a_text_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    raw = io.BytesIO()
    stream = streams.Shown(raw, encoding="utf-8")
    console = streams.ShownConsole(stream, 80)
    console.print(Text("ours", "bold"), Text("\x1b[31mtheirs"))
    print("\x1b[31mprinted", file=stream, flush=True)
    written = raw.getvalue().decode()
    assert written.count("\x1b[1m") == 1
    assert "\\x1b[31mtheirs" in written
    assert "\\x1b[31mprinted" in written
    assert "\x1b[31m" not in written


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_pipe_that_nobody_reads_ends_nothing(run: Path, closed: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with (run / "windows.jsonl").open("a") as file:
        file.write("damaged\n")  # something to say on standard error
    done = report(run, **{closed: writer})
    os.close(writer)
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").exists()
    assert "Traceback" not in (done.stderr or "")


def test_a_terminal_that_was_closed_ends_nothing(run: Path) -> None:
    terminal, seen_by_the_lab = os.openpty()
    os.close(terminal)
    done = report(run, stdout=seen_by_the_lab, stderr=seen_by_the_lab)
    os.close(seen_by_the_lab)
    assert done.returncode == 0


def test_a_run_that_cannot_be_written_to_is_shown_and_no_option_is_advised_that_report_lacks(run: Path) -> None:
    (run / "verdict.json").mkdir()  # in the way, for root too
    done = report(run)
    assert done.returncode == 3
    assert "p99<250ms" in done.stdout
    assert "--out" not in done.stderr
    assert "move it away" in done.stderr


def test_a_run_without_a_valid_window_is_shown_and_told(run: Path) -> None:
    (run / "windows.jsonl").write_text("")
    done = report(run)
    assert done.returncode == 5
    assert done.stderr.startswith("lab: No window was valid; the report names the reason for each.\n  Likely cause: ")


@pytest.mark.parametrize("descriptor", [1, 2])
def test_a_stream_that_the_shell_closed_ends_nothing(run: Path, descriptor: int) -> None:
    done = report(run, preexec_fn=lambda: os.close(descriptor))
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").exists()


def test_a_terminal_that_cannot_show_a_character_shows_another(run: Path) -> None:
    done = report(run, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "unknown ? p99<250ms" in done.stdout


def test_help_is_shown_there_too() -> None:
    command = [sys.executable, "-m", "wsgilab", "run", "--help"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("columns", "terminal", "width"),
    [("60", False, 60), ("60", True, 60), ("", False, 100), ("0", False, 100), ("0", True, 100), ("wide", True, 100)],
)
def test_columns_says_how_wide_the_page_is(
    columns: str, terminal: bool, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("COLUMNS", columns)
    assert console.console(stream).width == width


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_output_to_a_full_disk_is_explained(run: Path) -> None:
    with open("/dev/full", "w") as full:
        done = report(run, stdout=full)
    assert done.returncode == 3
    assert done.stderr.startswith("lab: Something could not be written: No space left on device.\n  Likely cause: ")
    assert "Traceback" not in done.stderr


def test_only_what_is_there_is_said_to_be_kept(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As after a write that failed: on a full disk windows.jsonl may be all there is."""
    folder = RunFolder.open(run)
    verdict = api.judge(folder.read()[0], folder.read_manifest()[0], [])
    console.show_verdict(verdict, run)
    assert capsys.readouterr().out.rstrip().endswith(f"Kept in {run}: windows.jsonl")
    api.report(run)
    console.show_verdict(verdict, run)
    assert "report.html, report.md, verdict.json, windows.jsonl" in capsys.readouterr().out


def test_the_last_lines_are_what_to_do_next_where_compose_yaml_says_so(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.open(run)
    verdict = api.judge(folder.read()[0], folder.read_manifest()[0], [])
    monkeypatch.setenv("LAB_NEXT_STEPS", "Look closer:  http://127.0.0.1:3000\nStop:  Ctrl-C\n")
    console.show_verdict(verdict, run)
    *_, kept, empty, first, second = capsys.readouterr().out.splitlines()
    assert (kept[:7], empty, first, second) == ("Kept in", "", "Look closer:  http://127.0.0.1:3000", "Stop:  Ctrl-C")
