"""What `./lab doctor --hosts` makes of what it found on each machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wsgilab.commands import doctor_hosts
from wsgilab.engines.far_engines import EngineFacts
from wsgilab.engines.relay import Relay
from wsgilab.errors import LabError
from wsgilab.lab import ROOT
from wsgilab.lab.sources import digest
from wsgilab.measure import host_check
from wsgilab.measure.host_check import Seen, Trouble
from wsgilab.model import hosts
from wsgilab.model.clock import Clock
from wsgilab.model.far import Hello, Path
from wsgilab.model.finding import MISSING, ODD, OK, Finding

LOAD = hosts.parse("load-1=ssh://lab@10.0.0.6,role=load,cpus=0")
ENGINE = EngineFacts("a", "28.5.2", "amd64", 4, 8000, pins=True, has_image=True, image_architecture="amd64")
SEEN = Seen(ENGINE, Hello("s", "k6 v1.1.0", 2), Clock(0.002, 0.0005), Path((0.2, 0.3, 0.9)))
BUILD = "DOCKER_HOST=ssh://lab@10.0.0.6 docker compose build prometheus-setup"


def found(seen: Seen) -> list[Finding]:
    return list(doctor_hosts.findings(LOAD, seen, "s"))


def test_a_host_that_can_send_load_says_with_what_and_from_how_far_away() -> None:
    assert [(finding.state, finding.said) for finding in found(SEEN)] == [
        (OK, "Docker 28.5.2, amd64, 4 CPUs, 8000 MB"),
        (OK, "k6 v1.1.0, on 2 CPUs"),
        (OK, "its clock is 0.002 s ahead (within 0.5 ms)"),
        (OK, "a connection to the servers' address takes 0.30 ms (0.90 at most)"),
    ]


@pytest.mark.parametrize(
    ("seen", "state", "said", "fix"),
    [
        (replace(SEEN, trouble=Trouble("no engine", "it is off", "x")), MISSING, "no engine: it is off", "x"),
        (replace(SEEN, hello=Hello("t", "k6", 1)), MISSING, "another version of the lab", BUILD),
        (replace(SEEN, clock=Clock(-3.0, 0.001)), ODD, "its clock is 3.000 s behind", "timedatectl"),
        (replace(SEEN, clock=Clock(180.0, 0.001)), MISSING, "180.000 s ahead", "timedatectl"),
        (
            replace(SEEN, path=Path(trouble="timed out")),
            MISSING,
            "does not reach the servers' address (timed out)",
            "ip",
        ),
        (replace(SEEN, path=Path((9.0, 9.5, 10.0))), ODD, "takes 9.50 ms", ""),
    ],
)
def test_what_is_wrong_with_a_host_has_a_state_and_a_fix(seen: Seen, state: str, said: str, fix: str) -> None:
    (wrong,) = [finding for finding in found(seen) if finding.state != OK]
    assert (wrong.state, wrong.what) == (state, "load-1")
    assert said in wrong.said
    assert fix in wrong.fix


@pytest.mark.parametrize(
    ("engine", "said", "fix"),
    [
        (replace(ENGINE, version="20.10.24"), "Docker 20.10.24", "docker --host ssh://lab@10.0.0.6 version"),
        (replace(ENGINE, pins=False), "cannot keep to the CPUs 0", "docker --host ssh://lab@10.0.0.6 info"),
        (replace(ENGINE, has_image=False), "it has no wsgilab-runner:local", BUILD),
        (replace(ENGINE, image_architecture="arm64"), "is for arm64, and the machine is amd64", BUILD),
    ],
)
def test_an_engine_that_will_not_do_is_told_before_anything_starts_there(
    engine: EngineFacts, said: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_check.far_engines, "ask", lambda _host: engine)
    trouble = host_check.look(LOAD).trouble
    assert trouble
    assert said in trouble.said
    assert trouble.fix == fix


def test_hosts_that_are_not_alike_are_told() -> None:
    other = hosts.parse("load-2=far,role=load")
    (twice,) = doctor_hosts.alike([LOAD, other], [SEEN, SEEN])
    assert (twice.state, twice.what) == (MISSING, "load-2")
    assert "the same Docker engine as load-1" in twice.said
    newer = replace(SEEN, engine=replace(ENGINE, id="b"), hello=Hello("s", "k6 v2.3.0", 2))
    (different,) = doctor_hosts.alike([LOAD, other], [SEEN, newer])
    assert different.said == "load hosts have different ones: k6 v1.1.0, k6 v2.3.0"
    assert not list(doctor_hosts.alike([LOAD, other], [SEEN, replace(newer, hello=SEEN.hello)]))


def test_an_address_that_is_not_of_this_machine_ends_it() -> None:
    together = hosts.of(["app=here,role=servers,address=192.0.2.1", "b=x,role=load"], allow_public=False)
    assert together
    (finding,) = doctor_hosts.examine(together)
    assert finding.state == MISSING
    assert "192.0.2.1 is not an address of this machine" in finding.said


@pytest.mark.parametrize(
    ("docker_says", "said"),
    [
        ('The container name "/wsgilab-relay" is already in use by container "1"', "another run measures there now"),
        ("cannot assign requested address", "no container there can be reached on 10.0.0.5 (cannot assign"),
    ],
)
def test_why_servers_elsewhere_cannot_be_reached_is_told(
    docker_says: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_relay: Relay) -> None:
        raise LabError(docker_says, "", "")

    monkeypatch.setattr(doctor_hosts, "look", lambda _host: replace(SEEN, hello=Hello(digest(ROOT), "k6 v1.1.0", 2)))
    monkeypatch.setattr(Relay, "start", refuse)
    together = hosts.of(["app=far,role=servers,address=10.0.0.5", "b=x,role=load"], allow_public=False)
    assert together
    *_, finding = doctor_hosts.examine(together)
    assert (finding.what, finding.state, finding.fix) == ("app", MISSING, "docker --context far ps")
    assert said in finding.said
