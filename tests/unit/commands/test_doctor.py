"""What `./lab doctor` complains about comes with a line that helps, or with the word that nothing needs to be done."""

from __future__ import annotations

import pytest
from support import ROOT

from wsgilab.commands import doctor
from wsgilab.lab.servers import load_lab
from wsgilab.model.finding import MISSING, ODD, OK, Finding

STOPPED = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
FORBIDDEN = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ("there is no docker command", ""),
        (f"no Docker engine answers ({STOPPED})", "sudo systemctl start docker"),
        (f"no Docker engine answers ({FORBIDDEN})", ""),
        ("no Docker engine answers (Cannot connect to the Docker daemon at ssh://far)", ""),
        ("the docker command has no Compose plugin", ""),
    ],
)
def test_nobody_needs_docker(reason: str, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgilab.engines.compose.why_not", lambda: reason)
    found = doctor._docker()
    assert (found.state, found.fix) == (ODD, fix)
    unless = ", unless it is started" if fix else ""
    assert found.said == f"not usable ({reason}); nothing needs to be done: servers run as local processes{unless}"


def cpus(usable: set[int], monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[Finding]:
    monkeypatch.setattr(doctor, "available", lambda: frozenset(usable))
    return list(doctor._cpus(load_lab(ROOT, {"SERVER_CPUS": "0", "LOAD_CPUS": "1", **variables})))


def test_cpus_that_may_not_be_used_come_with_those_that_may(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [found.state for found in cpus({0, 1}, monkeypatch)] == [OK]
    for found in cpus({4, 5, 6}, monkeypatch, SERVER_CPUS="0,2"):
        assert (found.state, found.fix) == (MISSING, "SERVER_CPUS=4-5 LOAD_CPUS=6 ./lab run"), found.said


def test_cpus_that_are_shared_need_not_be_where_there_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    (shared,) = cpus({2, 3}, monkeypatch, SERVER_CPUS="3", LOAD_CPUS="3")
    assert (shared.state, shared.fix) == (ODD, "SERVER_CPUS=2 LOAD_CPUS=3 ./lab run")
    (alone,) = cpus({0}, monkeypatch, LOAD_CPUS="0")
    assert (alone.state, alone.fix) == (ODD, "")
    assert alone.said.endswith("there is no other, so compare servers, and believe no absolute figure")


@pytest.mark.parametrize(
    ("by", "fix", "said"),
    [("me", "sudo -u me ./lab run", "none needs to be"), ("", "", "nothing needs to be done")],
)
def test_root_can_become_who_it_was(by: str, fix: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", by)
    (found,) = doctor._root()
    assert (found.state, found.fix) == (ODD, fix)
    assert said in found.said
