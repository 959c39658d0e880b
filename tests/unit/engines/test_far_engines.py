"""What other machines' Docker engines say, and what is made of it."""

from __future__ import annotations

import pytest

from wsgilab.engines import far_engines
from wsgilab.model.hosts import parse

INFO = {"ID": "a", "ServerVersion": "28.5.2", "Architecture": "x86_64", "NCPU": 4, "MemTotal": 8_000_000_000}


@pytest.mark.parametrize(
    ("docker", "words"),
    [
        ("ssh://lab@b", ["docker", "--host", "ssh://lab@b"]),
        ("unix:///run/docker.sock", ["docker", "--host", "unix:///run/docker.sock"]),
        ("far", ["docker", "--context", "far"]),
    ],
)
def test_an_engine_is_an_address_or_a_context(docker: str, words: list[str]) -> None:
    assert far_engines.docker(parse(f"b={docker},role=load")) == words


def test_what_sends_load_has_nothing_that_it_does_not_need() -> None:
    command = far_engines.far_side(parse("b=far,role=load,cpus=0-1"))
    line = " ".join(command)
    for wanted in ("--rm", "--read-only", "--cap-drop ALL", "no-new-privileges:true", "--cpuset-cpus 0-1"):
        assert wanted in line
    assert not [word for word in command if word in ("--volume", "-v", "--mount", "--publish", "-p", "--privileged")]
    assert command[-2:] == ["wsgilab-runner:local", "carry-load"]
    assert "--cpuset-cpus" not in far_engines.far_side(parse("b=far,role=load"))


def test_an_engine_says_what_it_has() -> None:
    found = far_engines.facts({**INFO, "CPUSet": True}, {"Architecture": "amd64"})
    assert (found.version, found.architecture, found.cpus, found.memory_mb) == ("28.5.2", "amd64", 4, 8000)
    assert (found.pins, found.has_image, found.image_architecture) == (True, True, "amd64")
    assert not far_engines.facts({**INFO, "CPUSet": False}, {}).pins
    assert not far_engines.facts(INFO, {}).has_image


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("error during connect: … Host key verification failed.", "connect by ssh once, and compare"),
        ("lab@b: Permission denied (publickey).", "may not log in"),
        ("dial tcp 10.0.0.6:2375: connect: connection refused", "no Docker engine listens there"),
        ("dial tcp: lookup b: no such host", "a typo"),
        ("no answer within 20 s", "a firewall"),
        ('context "far": context not found', "docker context ls"),
        ("something else", "not running, or not reachable"),
    ],
)
def test_why_an_engine_is_silent_is_told_from_what_docker_says(said: str, cause: str) -> None:
    assert cause in far_engines.silence(said).cause


def test_what_ssh_said_is_told_without_what_docker_says_around_it() -> None:
    said = (
        'error during connect: Get "http://docker.example.com/v1.51/info": command [ssh …] has exited: stderr=ssh: no'
    )
    assert far_engines.silence(said).reason == "ssh: no"
