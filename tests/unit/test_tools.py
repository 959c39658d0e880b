"""Which Prometheus is taken, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.errors import MissingError
from wsgilab.tools import find_prometheus


def put_prometheus(folder: Path, version: str) -> Path:
    """A program that says it is this Prometheus."""
    folder.mkdir()
    path = folder / "prometheus"
    path.write_text(f"#!/bin/sh\necho 'prometheus, version {version} (branch: debian/sid, revision: 1)'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Prometheus, without apt, and with an empty cache."""
    monkeypatch.delenv("LAB_PROMETHEUS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_prometheus_3_on_path_is_taken(tmp_path: Path) -> None:
    path = put_prometheus(tmp_path / "bin", "3.5.3+ds1")
    assert find_prometheus() == path


def test_prometheus_2_is_not_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_prometheus(tmp_path / "bin", "2.42.0")
    with pytest.raises(MissingError) as error:
        find_prometheus()
    assert "older than version 3" in capsys.readouterr().err
    assert "apt" in error.value.cause
    assert "LAB_PROMETHEUS" in error.value.next_command


def test_the_one_that_is_named_must_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PROMETHEUS", str(put_prometheus(tmp_path / "own", "2.55.1")))
    with pytest.raises(MissingError) as error:
        find_prometheus()
    assert str(tmp_path / "own") in error.value.cause


def test_the_private_cache_is_used_without_asking_anyone(tmp_path: Path) -> None:
    binaries = tmp_path / "cache/wsgilab/tools/prometheus/usr"
    binaries.mkdir(parents=True)
    path = put_prometheus(binaries / "bin", "3.5.3")
    assert find_prometheus() == path
