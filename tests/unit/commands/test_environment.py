"""What a command line, the app's folder and the environment ask for together."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.commands.environment import request


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LAB_APP", raising=False)
    (tmp_path / "wsgi.py").write_text("from shop import app as application\n")
    return tmp_path


def test_a_folder_alone_is_enough(folder: Path) -> None:
    asked = request("run", {"app_dir": folder})
    assert (asked.app, asked.workload) == ("wsgi:application", "/")


def test_whoever_says_which_app_it_is_is_right(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "lab.toml").write_text('[app]\napp = "shop:app"\n')
    assert request("run", {"app_dir": folder}).app == "shop:app"
    assert request("run", {"app_dir": folder, "app": "other:app"}).app == "other:app"
    (folder / "lab.toml").unlink()
    monkeypatch.setenv("LAB_APP", "mine:app")
    assert request("run", {"app_dir": folder}).app is None, "the settings have it"


def test_the_labs_own_app_has_a_workload_of_its_own() -> None:
    assert request("run", {}).workload == "mix"
    assert request("run", {"app": "httpbin:app", "workload": "/get"}).workload == "/get"
