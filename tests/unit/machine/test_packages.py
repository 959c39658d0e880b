"""Programs from the distribution's packages: fetched once, renewed once a month, and used as they are meanwhile."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.commands import doctor
from wsgilab.errors import MissingError
from wsgilab.lab.servers import load_lab
from wsgilab.machine import packages, tools
from wsgilab.machine.packages import DAY_S
from wsgilab.machine.tools import NGINX, find_nginx

APT = """#!/bin/sh
echo "$@" >> {folder}/asked
[ -e {folder}/offline ] && {{ echo "Could not resolve the mirror" >&2; exit 100; }}
: > nginx.deb
"""
DPKG = """#!/bin/sh
/bin/mkdir -p "$3/usr/sbin" "$3/etc/nginx"
echo nginx > "$3/usr/sbin/nginx"
"""


class Machine:
    """One with apt and an empty cache, whose calendar can be turned."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._today = time.time()
        (folder / "bin").mkdir()
        for name, script in (("apt-get", APT.format(folder=folder)), ("dpkg-deb", DPKG)):
            (folder / "bin" / name).write_text(script)
            (folder / "bin" / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder / "bin"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.delenv("LAB_NGINX", raising=False)
        monkeypatch.setattr(tools, "SYSTEM_PROGRAMS", ())

    @property
    def downloads(self) -> int:
        """How often apt was asked to download nginx."""
        asked = self.folder / "asked"
        return asked.read_text().count("download nginx nginx-common") if asked.exists() else 0

    def days_later(self, days: float) -> None:
        now = self._today + days * DAY_S + 60  # what a test has written meanwhile is younger than the test
        self._monkeypatch.setattr(packages.time, "time", lambda: now)

    def offline(self) -> None:
        (self.folder / "offline").touch()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_it_is_fetched_once(machine: Machine) -> None:
    said: list[str] = []
    assert find_nginx(said.append).binary.read_text() == "nginx\n"
    assert find_nginx().etc.is_dir()
    assert machine.downloads == 1
    assert said[0].startswith("no nginx on PATH: fetching nginx")
    assert [path.name for path in (machine.folder / "cache/wsgilab/tools").iterdir()] == ["nginx"]


def test_after_a_month_it_is_renewed(machine: Machine) -> None:
    said: list[str] = []
    find_nginx().binary.write_text("old")
    machine.days_later(29)
    assert find_nginx().binary.read_text() == "old"
    machine.days_later(31)
    assert find_nginx(said.append).binary.read_text() == "nginx\n"
    assert machine.downloads == 2
    assert "is 31 days old: renewing it" in said[0]


def test_without_network_the_old_one_is_used_and_renewing_is_tried_once_a_day(machine: Machine) -> None:
    said: list[str] = []
    find_nginx().binary.write_text("old")
    machine.offline()
    machine.days_later(31)
    assert find_nginx(said.append).binary.read_text() == "old"
    assert "could not be renewed (apt-get could not fetch it: Could not resolve" in said.pop()
    tried = machine.downloads
    said.clear()
    assert find_nginx(said.append).binary.read_text() == "old"
    assert (machine.downloads, said) == (tried, [])
    machine.days_later(33)
    find_nginx()
    assert machine.downloads > tried


def test_a_cache_that_cannot_be_written_is_used_as_it_is(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    find_nginx()

    def refused(self: Path, *_arguments: object, **_named: object) -> None:
        raise PermissionError(self)

    monkeypatch.setattr(Path, "touch", refused)
    machine.days_later(31)
    assert find_nginx().binary.read_text() == "nginx\n"
    assert machine.downloads == 1


def test_without_network_and_without_a_cache_it_is_missing(machine: Machine) -> None:
    machine.offline()
    with pytest.raises(MissingError, match="nginx was not found") as error:
        find_nginx()
    assert "Could not resolve the mirror" in error.value.cause


def test_the_doctor_says_how_old_it_is(machine: Machine) -> None:
    def said() -> doctor.Finding:
        return next(found for found in doctor.examine(load_lab(ROOT, {})) if found.what == "nginx")

    find_nginx()
    assert said() == doctor.Finding("nginx", doctor.OK, f"{NGINX.binary}, fetched 0 days ago")
    machine.offline()
    machine.days_later(40)
    assert said().state == doctor.ODD
    assert "fetched 40 days ago: security updates" in said().said
    assert said().fix == "sudo apt-get install nginx"
