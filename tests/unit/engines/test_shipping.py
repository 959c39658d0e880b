"""Images travel to where they are not, or are others; nothing starts where they did not arrive."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support import ROOT

from wsgilab.engines import images, shipping
from wsgilab.engines.stack import Stack
from wsgilab.errors import MissingError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.bundle import Image
from wsgilab.model.hosts import parse
from wsgilab.model.listener import UNHEARD
from wsgilab.model.request import Request

HERE, THERE = (), ("--host", "ssh://b")
HOST = parse("app=ssh://b,role=servers,address=10.0.0.5")


class Engines:
    """What images two engines have: here, and there."""

    def __init__(self, here: dict[str, str], there: dict[str, str]) -> None:
        self.images = {HERE: here, THERE: there}
        self.platforms = {HERE: "linux/amd64", THERE: "linux/amd64"}
        self.poured: list[list[str]] = []
        self.arrives = True

    def described(self, name: str, docker: Sequence[str] = images.DOCKER) -> tuple[Image, int] | None:
        where = tuple(docker[1:])
        found = self.images[where].get(name)
        return (Image(name, self.platforms[HERE], found), 100_000_000) if found else None

    def platform(self, docker: Sequence[str] = images.DOCKER) -> str:
        return self.platforms[tuple(docker[1:])]

    def pour(self, giver: Sequence[str], taker: Sequence[str], _stop: Stop) -> Outcome:
        assert (giver[:2], list(taker)) == (["docker", "save"], ["docker", *THERE, "load"])
        self.poured.append(list(giver[2:]))
        if self.arrives:
            self.images[THERE] |= {name: self.images[HERE][name] for name in giver[2:]}
        return Outcome(0)


def bring(engines: Engines, names: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    for name in ("described", "platform"):
        monkeypatch.setattr(images, name, getattr(engines, name))
    monkeypatch.setattr(shipping.pipes, "pour", engines.pour)
    lab = load_lab(ROOT, {})
    shipping.bring(names, HOST, Stack(lab, [lab.servers["gunicorn"]], Request(), Stop(), UNHEARD))
    return engines.poured


def test_what_is_not_there_or_is_another_one_is_sent_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "old"})
    assert bring(engines, ["a", "b", "c"], monkeypatch) == [["b", "c"]]
    assert bring(engines, ["a", "b", "c"], monkeypatch) == [["b", "c"]], "once they are the same, nothing is sent"


def test_what_this_machine_does_not_have_is_left_to_the_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bring(Engines({}, {"a": "1"}), ["a"], monkeypatch) == []


def test_an_image_for_another_kind_of_machine_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines({"a": "1"}, {})
    engines.platforms[THERE] = "linux/arm64"
    assert bring(engines, ["a"], monkeypatch) == []


def test_one_that_does_not_arrive_ends_the_run_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines({"a": "1"}, {})
    engines.arrives = False
    with pytest.raises(MissingError, match="app: a could not be sent there") as caught:
        bring(engines, ["a"], monkeypatch)
    assert caught.value.next_command == "docker --host ssh://b info"


def test_a_full_disk_there_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines({"a": "1"}, {})
    said = "Error response from daemon: write /blobs/sha256/1: no space left on device"
    monkeypatch.setattr(engines, "pour", lambda *_: Outcome(1, err=said))
    with pytest.raises(MissingError, match="no space left on device") as caught:
        bring(engines, ["a"], monkeypatch)
    assert caught.value.cause == "its disk is full"
    assert caught.value.next_command == "docker --host ssh://b system df"


def test_an_image_there_for_another_kind_of_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines({}, {"a": "1"})
    engines.platforms[THERE] = "linux/arm64"
    for name in ("described", "platform"):
        monkeypatch.setattr(images, name, getattr(engines, name))
    with pytest.raises(MissingError, match="a on app is for linux/amd64, and that machine is linux/arm64") as caught:
        shipping._require_own_kind(["a"], HOST)
    assert caught.value.next_command == "docker --host ssh://b image rm a"
