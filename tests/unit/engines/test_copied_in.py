"""What is copied to another machine: an app's folder without what no app is served from, readable for everybody."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from wsgilab.engines import copied_in
from wsgilab.engines.copied_in import pack
from wsgilab.engines.host_project import Copy
from wsgilab.errors import MissingError
from wsgilab.machine.processes import Outcome
from wsgilab.model.hosts import parse


def packed(source: Path) -> dict[str, tarfile.TarInfo]:
    sink = io.BytesIO()
    pack(source, sink)
    sink.seek(0)
    with tarfile.open(fileobj=sink) as archive:
        return {entry.name: entry for entry in archive.getmembers()}


def test_a_folder_is_its_content_and_a_file_itself(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static/a.css").write_text("b{}")
    (tmp_path / "app.py").write_text("app = 1")
    assert set(packed(tmp_path)) == {"static", "static/a.css", "app.py"}
    assert set(packed(tmp_path / "app.py")) == {"app.py"}


def test_what_no_app_is_served_from_stays_here(tmp_path: Path) -> None:
    for name in (".git", "__pycache__", "venv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    (tmp_path / "venv/pyvenv.cfg").write_text("home = /usr")
    (tmp_path / "nowhere").symlink_to("/does/not/exist")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "app.py").write_text("app = 1")
    assert set(packed(tmp_path)) == {"app.py"}


def test_links_are_followed_and_a_circle_of_them_is_not(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "data.json").write_text("{}")
    app = tmp_path / "app"
    app.mkdir()
    (app / "data.json").symlink_to(shared / "data.json")
    (app / "shared").symlink_to(shared)
    (shared / "again").symlink_to(shared)
    found = packed(app)
    assert set(found) == {"data.json", "shared", "shared/data.json"}
    assert found["data.json"].isfile()
    assert found["shared"].isdir()


def test_the_user_there_is_nobody_s_so_everybody_may_read(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "private/run.sh").write_text("#!/bin/sh")
    (tmp_path / "private/run.sh").chmod(0o700)
    found = packed(tmp_path)
    assert oct(found["private"].mode & 0o777) == "0o755"
    assert oct(found["private/run.sh"].mode & 0o777) == "0o744"
    assert {(entry.uid, entry.gid, entry.uname) for entry in found.values()} == {(0, 0, "")}


def test_a_folder_that_goes_away_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="cannot be copied to another machine"):
        pack(tmp_path / "gone", io.BytesIO())


def test_a_full_disk_there_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").write_text("app = 1")
    fed: list[list[str]] = []

    def feed(command: list[str], chunks: Iterable[bytes]) -> Outcome:
        fed.append(command)
        return Outcome(1, err=f"write /copies/copy-0/app.py: no space left on device ({len(b''.join(chunks)) > 0})")

    monkeypatch.setattr(copied_in.pipes, "feed", feed)
    host = parse("app=ssh://b,role=servers,address=10.0.0.5")
    with pytest.raises(MissingError, match=r"app: .*could not be copied there") as caught:
        copied_in.fill([Copy(str(tmp_path), "/copies/copy-0")], host, "c0ffee")
    assert fed == [["docker", "--host", "ssh://b", "cp", "-", "c0ffee:/copies/copy-0"]]
    assert (caught.value.cause, caught.value.next_command) == ("its disk is full", "docker --host ssh://b system df")
