"""What has changed in an app's folder while it was served."""

from __future__ import annotations

import os
from pathlib import Path

from wsgilab.machine.folder_watch import changed, seen


def test_what_was_written_made_or_removed_is_named_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    for name in ("shop.py", "shop.db", "uploads/old.jpg"):
        (tmp_path / name).write_text("one")
    before = seen(tmp_path)
    assert changed(before, tmp_path) == []
    (tmp_path / "shop.db").write_text("another")
    (tmp_path / "uploads/new.jpg").touch()
    (tmp_path / "uploads/old.jpg").unlink()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/shop.pyc").touch()
    assert changed(before, tmp_path) == ["shop.db", "uploads/new.jpg", "uploads/old.jpg"]


def test_the_same_size_at_another_time_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("one")
    before = seen(tmp_path)
    os.utime(tmp_path / "shop.db", ns=(1, 1))
    assert changed(before, tmp_path) == ["shop.db"]


def test_a_link_in_a_circle_and_a_folder_that_is_gone_are_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(tmp_path)
    assert seen(tmp_path) == {}
    assert seen(tmp_path / "gone") == {}


def test_what_a_run_writes_there_is_no_doing_of_the_app(tmp_path: Path) -> None:
    for name in (".lab/results/.gitkeep", "out/old.txt"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    before = seen(tmp_path)
    for name in (".lab/results/.run.lock", ".lab/results/1-run/manifest.json", "out/windows.jsonl", "out/report.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "shop.db").touch()
    assert changed(before, tmp_path) == ["shop.db"]
