"""What was measured is on disk, whatever happens next."""

from __future__ import annotations

import errno
import json
import os
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from factories import story, window

from wsgilab.errors import MissingError, UsageError
from wsgilab.model.manifest import Manifest
from wsgilab.results.folder import RunFolder, new_folder

NOON = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "results" / "one")


def test_windows_come_back_as_they_were(folder: RunFolder) -> None:
    windows = story(rounds=1)
    for each in windows:
        folder.append(each)
    assert folder.read() == (windows, [])


def test_a_window_is_on_disk_when_append_returns(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        fsync(descriptor)
        synced.append((folder.path / "windows.jsonl").read_bytes())

    monkeypatch.setattr(os, "fsync", spy)
    folder.append(window("uwsgi"))
    assert [content.count(b"\n") for content in synced] == [1]


class TestDamage:
    def test_a_file_cut_off_in_mid_line_gives_the_rest_and_says_so(self, folder: RunFolder) -> None:
        for number in (1, 2, 3):
            folder.append(window("uwsgi", round=number))
        file = folder.path / "windows.jsonl"
        file.write_bytes(file.read_bytes()[:-100])
        windows, problems = folder.read()
        assert [each.plan.round for each in windows] == [1, 2]
        assert problems == ["windows.jsonl line 3 is cut off in the middle: that window is lost, the others are not"]

    def test_a_window_after_a_cut_off_line_is_not_lost_with_it(self, folder: RunFolder) -> None:
        folder.append(window("uwsgi", round=1))
        file = folder.path / "windows.jsonl"
        file.write_bytes(file.read_bytes()[:-100])
        folder.append(window("uwsgi", round=2))
        windows, problems = folder.read()
        assert [each.plan.round for each in windows] == [2]
        assert len(problems) == 1

    @pytest.mark.parametrize(
        "line",
        [
            b"not json",
            b"\xff\xfe\x00",
            b"[]",
            b"null",
            b"{}",
            b'{"schema": 1}',
            b'{"schema": 1, "plan": null, "load": null, "usage": null, "died": null, "void": null, "notes": []}',
            b"[" * 100_000,
            b"",
        ],
    )
    def test_a_damaged_line_is_named_by_its_number_and_skipped(self, folder: RunFolder, line: bytes) -> None:
        folder.append(window("uwsgi", round=1))
        with open(folder.path / "windows.jsonl", "ab") as file:
            file.write(line + b"\n")
        folder.append(window("uwsgi", round=3))
        windows, problems = folder.read()
        assert [each.plan.round for each in windows] == [1, 3]
        assert problems == ["windows.jsonl line 2 is damaged: skipped"]

    @pytest.mark.parametrize(
        ("part", "name", "value"),
        [
            ("plan", "rate_rps", "fast"),
            ("load", "ok", None),
            ("load", "ladder_ms", {"50": "x"}),
            ("usage", "requests", []),
        ],
    )
    def test_a_field_of_the_wrong_kind_is_damage_too(self, folder: RunFolder, part: str, name: str, value: Any) -> None:
        data = window("uwsgi").to_json()
        data[part][name] = value
        (folder.path / "windows.jsonl").write_text(json.dumps(data) + "\n")
        assert folder.read() == ([], ["windows.jsonl line 1 is damaged: skipped"])

    def test_a_line_of_a_future_schema_is_named_as_such(self, folder: RunFolder) -> None:
        data = {**window("uwsgi").to_json(), "schema": 9}
        (folder.path / "windows.jsonl").write_text(json.dumps(data) + "\n")
        _, problems = folder.read()
        assert problems == [
            "windows.jsonl line 1 was written by another version of the lab (schema 9, this version reads 1): skipped"
        ]

    def test_unknown_fields_of_this_schema_are_no_damage(self, folder: RunFolder) -> None:
        data = {**window("uwsgi").to_json(), "added": True}
        (folder.path / "windows.jsonl").write_text(json.dumps(data) + "\n")
        assert folder.read() == ([window("uwsgi")], [])

    @pytest.mark.parametrize(("content", "said"), [(None, "missing"), (b"{", "damaged"), (b"[]", "not an object")])
    def test_a_manifest_that_cannot_be_read_is_a_problem_not_a_crash(
        self, folder: RunFolder, content: bytes | None, said: str
    ) -> None:
        if content is not None:
            (folder.path / "manifest.json").write_bytes(content)
        manifest, problems = folder.read_manifest()
        assert manifest.says_nothing
        assert said in problems[0]


class TestFolders:
    def test_are_named_after_time_and_command_and_never_twice(self, tmp_path: Path) -> None:
        first = new_folder(tmp_path, "run", NOON)
        assert first.name == "20260301T120005Z-run"
        RunFolder.create(first)
        assert new_folder(tmp_path, "run", NOON).name == "20260301T120005Z-run-2"

    def test_no_run_writes_over_another(self, folder: RunFolder) -> None:
        with pytest.raises(UsageError) as raised:
            RunFolder.create(folder.path)
        assert "already holds a run" in raised.value.what
        assert f"./lab report {folder.path}" in raised.value.next_command

    def test_an_empty_folder_may_be_there_already(self, tmp_path: Path) -> None:
        assert RunFolder.create(tmp_path).read() == ([], [])

    def test_are_taken_away_again_where_nothing_was_measured(self, folder: RunFolder) -> None:
        folder.write_manifest(Manifest())
        folder.discard()
        assert not folder.path.exists()

    def test_with_a_window_or_somebody_elses_file_stay(self, tmp_path: Path) -> None:
        measured, shared = RunFolder.create(tmp_path / "measured"), RunFolder.create(tmp_path / "shared")
        measured.append(window("uwsgi"))
        (shared.path / "notes.txt").touch()
        for folder in (measured, shared):
            folder.discard()
        assert measured.read() == ([window("uwsgi")], [])
        assert [path.name for path in shared.path.iterdir()] == ["notes.txt"]

    @pytest.mark.parametrize("name", ["nowhere", "."])
    def test_that_are_none_are_refused_by_name(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UsageError, match=r"holds no windows\.jsonl"):
            RunFolder.open(tmp_path / name)

    @pytest.mark.parametrize(
        ("asked", "cause", "instead"),
        [
            ("nowhere", "there is no such folder", "ls results/"),
            ("empty", "it is not the folder of a run", "ls results/"),
            ("notes.txt", "it is a file, not a folder", "ls results/"),
            ("two/report.md", "it is a file, not a folder", "./lab report {path}/two"),
            (".", "it holds 2 folders of runs", "./lab report {path}/two"),
        ],
    )
    def test_are_asked_for_by_what_they_are_not_and_told_what_to_ask_for(
        self, tmp_path: Path, asked: str, cause: str, instead: str
    ) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "notes.txt").touch()
        for name in ("one", "two"):
            RunFolder.create(tmp_path / name).write_text("report.md", "")
        with pytest.raises(UsageError) as raised:
            RunFolder.open(tmp_path / asked)
        assert raised.value.cause == cause
        assert raised.value.next_command == instead.format(path=tmp_path)

    def test_under_a_file_cannot_be_made_and_the_cure_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(MissingError) as raised:
            RunFolder.create(tmp_path / "file" / "run")
        assert "--out" in raised.value.cause
        assert raised.value.next_command == f"ls -ld {tmp_path}/file"
        assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("number", "cause", "cure"),
    [
        (errno.ENOSPC, "the disk is full", "df -h"),
        (errno.EROFS, "read-only", "ls -ld"),
        (errno.EACCES, "belongs to another user", "ls -ld"),
        (errno.ENOENT, "folders cannot be made there", "ls -ld"),
        (errno.ENAMETOOLONG, "the path is too long", "ls -ld"),
        (errno.ELOOP, "in a circle", "ls -ld"),
        (errno.EFBIG, "ulimit -f", "ls -ld"),
        (errno.EIO, "a disk that fails", "ls -ld"),
    ],
)
def test_a_disk_that_says_no_is_explained(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, number: int, cause: str, cure: str
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    for write in (lambda: folder.append(window("uwsgi")), lambda: folder.write_verdict({})):
        with pytest.raises(MissingError) as raised:
            write()
        assert cause in raised.value.cause
        assert cure in raised.value.next_command
        assert os.strerror(number) in raised.value.what


def test_a_real_full_disk_is_explained(folder: RunFolder) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    (folder.path / "windows.jsonl").unlink()
    (folder.path / "windows.jsonl").symlink_to("/dev/full")
    with pytest.raises(MissingError, match="No space left on device"):
        folder.append(window("uwsgi"))


def test_files_are_replaced_whole_or_not_at_all(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_verdict({"schema": 1})

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(MissingError):
        folder.write_verdict({"schema": 2})
    assert json.loads((folder.path / "verdict.json").read_text()) == {"schema": 1}
    assert sorted(path.name for path in folder.path.iterdir()) == ["verdict.json", "windows.jsonl"]


def test_json_files_are_for_people_too(folder: RunFolder) -> None:
    folder.write_verdict({"answer": "no Docker – local"})
    assert (folder.path / "verdict.json").read_text(encoding="utf-8") == '{\n  "answer": "no Docker – local"\n}\n'


def test_a_folder_that_cannot_be_made_is_told_by_the_one_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MissingError) as raised:
        RunFolder.create(tmp_path / "file/runs/one")
    assert raised.value.next_command == f"ls -ld {tmp_path}/file"


def test_a_link_that_somebody_planted_is_not_followed(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that guesses the name of the unfinished file."""
    victim = folder.path.parent / "victim"
    victim.write_text("precious")
    monkeypatch.setattr(secrets, "token_hex", lambda _: "guessed")
    (folder.path / ".report.md.guessed").symlink_to(victim)
    with pytest.raises(MissingError, match="File exists"):
        folder.write_text("report.md", "mine")
    assert victim.read_text() == "precious"
    (folder.path / ".report.md.guessed").unlink(missing_ok=True)
    (folder.path / "report.md").symlink_to(victim)
    folder.write_text("report.md", "mine")
    assert victim.read_text() == "precious"
    assert (folder.path / "report.md").read_text() == "mine"


def test_a_planted_link_is_no_room_for_windows(tmp_path: Path) -> None:
    (tmp_path / "windows.jsonl").symlink_to(tmp_path / "victim")
    with pytest.raises(UsageError, match="already holds a run"):
        RunFolder.create(tmp_path)
    assert not (tmp_path / "victim").exists()


def test_halves_of_pairs_are_written_as_what_they_are(folder: RunFolder) -> None:
    folder.write_text("report.md", "caf\udce9")
    assert (folder.path / "report.md").read_text() == "caf\\udce9"
    folder.write_verdict({"text": "\x9b\udce9"})
    assert json.loads((folder.path / "verdict.json").read_text()) == {"text": "\x9b\udce9"}
    assert (folder.path / "verdict.json").read_text().isascii()
    folder.append(replace(window("uwsgi"), died="caf\udce9"))
    assert [each.died for each in folder.read()[0]] == ["caf\\udce9"]
