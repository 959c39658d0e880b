"""What setting up says where it cannot begin."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgilab import bootstrap


def test_a_clone_that_cannot_be_written_is_told_before_anything_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/local.txt").touch()
    (tmp_path / ".venv.lock").touch()  # of an earlier time
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv/installed-locks")
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write anywhere
    with pytest.raises(bootstrap.SetupError) as raised:
        bootstrap.prepare(tmp_path / "locks/local.txt")
    assert raised.value.args[0] == f"cannot write to {tmp_path}: Permission denied."
    assert "write-protected" in raised.value.args[1]
    assert not capsys.readouterr().err


def test_pip_installs_into_the_environment_whatever_the_user_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    misleading = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV"}
    for name in misleading:
        monkeypatch.setenv(name, "/x")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    given = bootstrap._environment()
    assert not misleading & given.keys()
    assert given["PIP_INDEX_URL"] == "https://mirror.example/simple", "a mirror is needed"


def test_a_path_that_takes_no_environment_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path / "a:b")
    with pytest.raises(bootstrap.SetupError) as raised:
        bootstrap.prepare(tmp_path / "a:b/locks/local.txt")
    assert "':'" in raised.value.args[1]
    assert raised.value.args[2].startswith("mv ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["bundle", "--use", "a.tar"], Path("a.tar")),
        (["bundle", "--debug", "--use=a.tar"], Path("a.tar")),
        (["bundle", "--use"], None),
        (["bundle", "--use="], None),
        (["bundle"], None),
        (["bundle", "--list", "a.tar"], None),
        (["run", "--use", "a.tar"], None),
        ([], None),
    ],
)
def test_only_a_bundle_that_is_to_be_used_is_set_up_from(words: list[str], expected: Path | None) -> None:
    assert bootstrap.bundle_in(words) == expected


def test_a_bundle_that_cannot_be_used_is_told_in_three_parts_with_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/local.txt").touch()
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv/installed-locks")
    monkeypatch.setattr(bootstrap.signal, "signal", lambda *_arguments: None)
    monkeypatch.setattr(bootstrap.sys, "path", [*bootstrap.sys.path])
    with pytest.raises(SystemExit) as raised:
        bootstrap.main(["bundle", "--use", str(tmp_path / "missing.tar")])
    assert raised.value.code == 2
    said = capsys.readouterr().err
    assert f"lab: {tmp_path}/missing.tar cannot be read: No such file" in said
    for part in ("\n  Likely cause: ", f"\n  Next: ls -l {tmp_path}/missing.tar"):
        assert part in said
    assert not (tmp_path / ".venv/bin").exists(), "nothing is made for a bundle that cannot be used"


def test_what_a_command_needs_besides_is_installed_once_and_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    for name in ("local.txt", *bootstrap.LOCKS.values()):
        (locks / name).write_text(name)
    installed: list[str] = []
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv/installed-locks")
    monkeypatch.setattr(bootstrap, "_python_matches", lambda: True)
    monkeypatch.setattr(bootstrap, "_make_venv", lambda _wheels: (tmp_path / ".venv").mkdir(exist_ok=True))
    monkeypatch.setattr(bootstrap, "_install", lambda _pip, lock, _wheels: installed.append(lock.name))
    monkeypatch.setattr(bootstrap, "_require_in_place", lambda: None)
    for name in ("local.txt", "browser.txt", "local.txt", "browser.txt", "dev.txt", "browser.txt", "local.txt"):
        bootstrap.prepare(locks / name)
    assert installed == ["local.txt", "browser.txt", "dev.txt"]
    (locks / "browser.txt").write_text("newer")
    for name in ("dev.txt", "browser.txt", "dev.txt", "local.txt"):
        bootstrap.prepare(locks / name)
    assert installed[3:] == ["browser.txt"]


def test_packages_that_cannot_be_installed_are_told_by_where_they_come_from(tmp_path: Path) -> None:
    for wheels, cause, next_command in (
        (None, "--use FILE needs none", "./lab --version"),
        (tmp_path, "a C library older than that", f"df -h {bootstrap.ROOT}"),
    ):
        with pytest.raises(bootstrap.SetupError) as raised:
            bootstrap._install(["false"], tmp_path / "local.txt", wheels)
        assert cause in raised.value.args[1]
        assert raised.value.args[2] == next_command, "./lab doctor would need what is missing"


def test_what_a_bundle_brought_is_enough_without_a_network_and_is_asked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    assert not bootstrap._install_offline(["false"], tmp_path / "lock.txt"), "no bundle was used"
    (tmp_path / "wheels").mkdir()
    pip = tmp_path / "pip"
    pip.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexit $(cat {tmp_path}/code)\n')
    pip.chmod(0o755)
    for code, installed in ((1, False), (0, True)):
        (tmp_path / "code").write_text(str(code))
        assert bootstrap._install_offline([str(pip)], tmp_path / "lock.txt") is installed
    asked = (tmp_path / "asked").read_text()
    assert f"--no-index --find-links {tmp_path}/wheels" in asked
    assert "--require-hashes" in asked


def test_wheels_that_were_half_unpacked_are_no_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap, "_run", lambda *_arguments: None)
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: name == "pip" or None)
    (tmp_path / "wheels").mkdir()
    assert bootstrap._make_venv(tmp_path / "wheels")[1:3] == ["-m", "pip"]
    (tmp_path / "wheels/pip-25-py3-none-any.whl").touch()
    assert bootstrap._make_venv(tmp_path / "wheels")[1].endswith("pip-25-py3-none-any.whl/pip")
