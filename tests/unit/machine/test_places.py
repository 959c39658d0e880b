"""Folders of runs: ours as long as we live, anybody's of ours afterwards, and nobody else's ever."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from wsgilab.errors import MissingError
from wsgilab.machine import leftovers, places, turns


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No folder of this machine is looked at."""
    monkeypatch.setattr(places, "MEMORY", tmp_path / "shm")
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def abandoned() -> Path:
    """A place whose owner has died."""
    place = places.make()
    place.lock.close()
    return place.path


def test_a_place_whose_owner_lives_is_not_abandoned(own_folders: Path) -> None:
    place = places.make()
    assert place.path.parent == own_folders
    assert place.path.stat().st_mode & 0o077 == 0, "private"
    assert places.abandoned() == []
    place.remove()
    assert not place.path.exists()


def test_a_place_in_memory_is_where_there_is_one_that_can_be_written(own_folders: Path) -> None:
    """macOS has none."""
    without = places.make(in_memory=True)
    (own_folders / "shm").mkdir()
    in_memory = places.make(in_memory=True)
    its_logs = places.make(id=in_memory.id)
    assert without.path.parent == own_folders
    assert in_memory.path.parent == own_folders / "shm"
    assert its_logs.path == own_folders / in_memory.path.name
    for place in (without, in_memory, its_logs):
        place.remove()


def test_a_memory_without_room_is_not_used(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker would fail at its first request, and its server would be the one that is bad."""
    (own_folders / "shm").mkdir()
    usage = shutil.disk_usage(own_folders)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=16_384))
    place = places.make(in_memory=True)
    assert place.path.parent == own_folders
    place.remove()


def test_a_place_whose_owner_is_gone_is_removed_and_nothing_else(own_folders: Path) -> None:
    gone, kept = abandoned(), places.make()
    others = [own_folders / "wsgilab-variants-x", own_folders / f"{places.PREFIX}{'0' * 16}", own_folders / "mine"]
    for folder in others:
        folder.mkdir()
    (own_folders / f"{places.PREFIX}{'1' * 16}").symlink_to(others[2])
    (others[2] / places.OWNER).touch()
    assert leftovers.found() == [str(gone)]
    assert gone.exists(), "looking removes nothing"
    assert leftovers.clear() == [str(gone)]
    assert not gone.exists()
    assert kept.path.exists()
    assert all(folder.exists() for folder in others)
    kept.remove()


def test_a_place_of_another_user_is_left_alone(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = abandoned()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert places.abandoned() == []
    assert gone.exists()


def test_one_run_on_a_machine(own_folders: Path) -> None:
    lock = own_folders / "machine.lock"
    with turns.turn_on_this_machine(lock):
        with pytest.raises(MissingError, match="Another run is under way") as raised, turns.turn_on_this_machine(lock):
            pass
        assert f"process {os.getpid()} (" in raised.value.cause or not Path("/proc/locks").exists()
    with turns.turn_on_this_machine(lock):
        pass


def test_the_lock_of_another_user_can_be_taken_without_writing_to_it(own_folders: Path) -> None:
    lock = own_folders / "machine.lock"
    lock.touch(mode=0o444)
    with turns.turn_on_this_machine(lock), pytest.raises(MissingError), turns.turn_on_this_machine(lock):
        pass


def test_where_no_lock_can_be_had_a_run_goes_on(own_folders: Path) -> None:
    (own_folders / "link").symlink_to(own_folders / "elsewhere")
    for path in (own_folders / "nowhere/machine.lock", own_folders / "link"):
        with turns.turn_on_this_machine(path), turns.turn_on_this_machine(path):
            pass
    assert not (own_folders / "elsewhere").exists(), "no link is followed"
