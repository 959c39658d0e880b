"""How far somebody is: a file that survives, can be read, and is refused where it cannot be used."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.errors import MissingError, UsageError
from wsgilab.workshop import evidence, progress
from wsgilab.workshop.progress import Progress, Step

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GOLDEN = ROOT / "tests/golden"


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    kept = Progress().with_step("04-workers", passed_at=NOW, hints=2).with_step("05-x", solved_at=NOW)
    kept = Progress(kept.exercises, {"one-slot": "b"})
    progress.write(tmp_path, kept)
    assert progress.read(tmp_path) == kept
    said = json.loads((tmp_path / "workshop/progress.json").read_text())
    assert said["exercises"]["04-workers"]["passed_at"] == "2026-03-01T12:00:00Z"


def test_nothing_is_kept_yet(tmp_path: Path) -> None:
    assert progress.read(tmp_path) == Progress()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"exercises": {"04-workers": 3}}', '{"schema": 2}', "\ufeff{}"])
def test_a_file_that_cannot_be_used_is_refused_with_the_cure(tmp_path: Path, text: str) -> None:
    path = progress.path_in(tmp_path)
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        progress.read(tmp_path)
    assert refused.value.next_command == f"mv {path} {path.with_suffix('.old')}"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "workshop").write_text("in the way")
    with pytest.raises(MissingError):
        progress.write(tmp_path, Progress())


def test_minutes_left_are_those_of_what_is_not_passed() -> None:
    kept = Progress({"a": Step(passed_at=NOW), "b": Step(hints=3)})
    assert kept.minutes_left([("a", 10), ("b", 15), ("c", 20)]) == 35


def test_states_are_words() -> None:
    later = NOW + timedelta(minutes=1)
    states = [Step(), Step(hints=1), Step(checked_at=NOW), Step(passed_at=NOW), Step(passed_at=later, solved_at=NOW)]
    assert [step.state for step in states] == ["open", "begun", "begun", "passed", "passed, with the solution"]
    assert Step(passed_at=NOW, solved_at=later).state == "passed", "who looks at the solution afterwards did it alone"


def test_who_begins_anew_has_nothing_passed_and_older_runs_are_no_evidence(tmp_path: Path) -> None:
    (tmp_path / "old").symlink_to(GOLDEN / "run")
    assert [run.name for run in evidence.read(tmp_path).runs] == ["old"]
    now = datetime.now(UTC) + timedelta(hours=1)
    kept = Progress().with_step("a", passed_at=NOW, hints=3).without("a", now)
    assert kept.step("a") == Step(since=now)
    assert evidence.read(tmp_path, kept.step("a").since).runs == ()
    # Its reports are written anew later, and it was measured before all the same.
    file = tmp_path / "copied"
    file.mkdir()
    for name in ("manifest.json", "windows.jsonl"):
        (file / name).write_bytes((GOLDEN / "run" / name).read_bytes())
    os.utime(file / "manifest.json", (now.timestamp() + 60, now.timestamp() + 60))
    assert evidence.read(tmp_path, now).runs == ()


def test_what_cannot_be_read_is_no_evidence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/manifest.json").write_text("{}")
    (tmp_path / "workshop").mkdir()
    for name, text in (("a.har", "{"), ("b.har", "[]"), ("c-two-loads.json", "no"), ("progress.json", "{}")):
        (tmp_path / "workshop" / name).write_text(text)
    assert evidence.read(tmp_path) == evidence.Evidence()


def test_the_first_check_that_finds_anything_and_the_first_that_passes_are_kept() -> None:
    later = NOW + timedelta(minutes=1)
    assert Step().after_check(found=False, passed=False, now=NOW) == Step()
    begun = Step(hints=1).after_check(found=True, passed=False, now=NOW)
    assert begun == Step(hints=1, checked_at=NOW)
    done = begun.after_check(found=True, passed=True, now=later)
    assert done == Step(hints=1, checked_at=NOW, passed_at=later)
    assert done.after_check(found=True, passed=False, now=later + timedelta(minutes=1)) == done, "passed is passed"
