"""The copy of an app's folder: all that an app is served from, nothing else, and all of it writable."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

SCRIPT = ROOT / "services/serve/copy_app.py"


def copy(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", SCRIPT, source, target], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    for name in ("uploads", ".git", "__pycache__", "venv/lib", "static"):
        (folder / name).mkdir(parents=True)
    (folder / "shop.py").write_text("app = 1\n")
    (folder / "shop.db").write_text("stock\n")
    (folder / "venv/pyvenv.cfg").touch()
    (folder / ".git/index").touch()
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_what_an_app_is_served_from_is_copied_and_nothing_else(shop: Path, tmp_path: Path) -> None:
    assert copy(shop, tmp_path / "copy").returncode == 0
    assert names(tmp_path / "copy") == {"uploads", "static", "shop.py", "shop.db"}


def test_what_is_read_only_can_be_written_in_the_copy(shop: Path, tmp_path: Path) -> None:
    (shop / "shop.db").chmod(0o444)
    (shop / "uploads").chmod(0o555)
    assert copy(shop, tmp_path / "copy").returncode == 0
    assert [(tmp_path / "copy" / name).stat().st_mode & 0o200 for name in ("shop.db", "uploads")] == [0o200, 0o200]
    assert (shop / "shop.db").stat().st_mode & 0o777 == 0o444


def test_a_link_becomes_what_it_leads_to(shop: Path, tmp_path: Path) -> None:
    """What the app writes there would be written in the original otherwise."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/photo.jpg").write_text("original")
    (shop / "photos").symlink_to(tmp_path / "elsewhere")
    assert copy(shop, tmp_path / "copy").returncode == 0
    (tmp_path / "copy/photos/photo.jpg").write_text("changed")
    assert (tmp_path / "elsewhere/photo.jpg").read_text() == "original"


def test_a_link_that_leads_back_or_nowhere_a_socket_and_a_pipe_are_left_out(shop: Path, tmp_path: Path) -> None:
    (shop / "static/back").symlink_to(shop)
    (shop / "static/here").symlink_to(".")
    (shop / "nowhere").symlink_to("/no/such/file")
    os.mkfifo(shop / "pipe")
    done = copy(shop, tmp_path / "copy")
    assert (done.returncode, done.stderr) == (0, "")
    assert names(tmp_path / "copy") == {"uploads", "static", "shop.py", "shop.db"}


def test_a_copy_is_made_anew(shop: Path, tmp_path: Path) -> None:
    copy(shop, tmp_path / "copy")
    (tmp_path / "copy/old").touch()
    assert copy(shop, tmp_path / "copy").returncode == 0
    assert "old" not in names(tmp_path / "copy")


def test_why_it_cannot_be_made_is_one_line(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = copy(shop, tmp_path / "file/copy")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Not a directory" in done.stderr
