"""Load hosts are looked at before anything starts, and take turns where there are more generators than hosts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wsgilab.engines import Endpoint
from wsgilab.engines.far_engines import EngineFacts
from wsgilab.errors import MissingError
from wsgilab.lab import ROOT
from wsgilab.lab.sources import digest
from wsgilab.measure import host_generators
from wsgilab.measure.host_check import Seen, Trouble
from wsgilab.measure.host_generators import HostGenerators, on_hosts
from wsgilab.measure.k6_command import Traffic
from wsgilab.model import hosts
from wsgilab.model.far import Hello, Path
from wsgilab.model.hosts import Host

TOGETHER = hosts.of(
    [
        "app=here,role=servers,address=127.0.0.1",
        "load-1=ssh://lab@10.0.0.6,role=load",
        "load-2=far,role=load",
    ],
    allow_public=False,
)
ENGINE = EngineFacts("a", "28.5.2", "amd64", 4, 8000, pins=True, has_image=True, image_architecture="amd64")
FIRST = Seen(ENGINE, Hello(digest(ROOT), "k6 v2.3.0", 3))
SECOND = Seen(replace(ENGINE, id="b"), Hello(digest(ROOT), "k6 v2.3.0", 2))


def generators(monkeypatch: pytest.MonkeyPatch, second: Seen = SECOND, count: int = 1) -> HostGenerators:
    assert TOGETHER
    found = {"load-1": FIRST, "load-2": second}
    monkeypatch.setattr(host_generators, "look", lambda host: found[host.name])
    return on_hosts(TOGETHER, count, Traffic(), None)


def test_each_load_host_has_one_generator_at_least_and_more_of_them_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [host.name for host in generators(monkeypatch).places] == ["load-1", "load-2"]
    three = generators(monkeypatch, count=3)
    assert [host.name for host in three.places] == ["load-1", "load-2", "load-1"]
    assert (three.name, three.version, three.cpus) == ("k6", "k6 v2.3.0", 5)
    assert three.origin == "wsgilab-runner:local on load-1, load-2"


@pytest.mark.parametrize(
    ("second", "what", "fix"),
    [
        (Seen(trouble=Trouble("its engine is silent", "it is off", "docker version")), "load-2 cannot send", "version"),
        (replace(SECOND, engine=ENGINE), "load-1 and load-2 are the same machine", "./lab doctor --host app=here"),
        (replace(SECOND, hello=Hello("old", "k6 v2.3.0", 2)), "load-2 is of another version", "DOCKER_CONTEXT=far"),
        (
            replace(SECOND, hello=Hello(digest(ROOT), "k6 v1.1.0", 2)),
            "have different k6: k6 v1.1.0, k6 v2.3.0",
            "build",
        ),
    ],
)
def test_a_host_that_cannot_send_load_ends_the_run_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, second: Seen, what: str, fix: str
) -> None:
    with pytest.raises(MissingError) as caught:
        generators(monkeypatch, second)
    assert what in caught.value.what
    assert fix in caught.value.next_command


@pytest.mark.parametrize("door", ["", "10.0.0.5:32769"])
def test_how_far_a_load_host_is_from_the_servers_is_measured_where_it_reaches_them(
    monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    asked: list[str] = []

    def path_from(host: Host, seen: Seen, url: str, overlay: str) -> Path:
        assert (seen.image, overlay) == (ENGINE.image, "")
        asked.append(url)
        return Path((0.2, 0.3, 0.9)) if host.name == "load-1" else Path(trouble="timed out")

    monkeypatch.setattr(host_generators, "path_from", path_from)
    at = Endpoint("http://10.0.0.5:8003", "", None, door=door)
    assert generators(monkeypatch).paths_ms(at) == {"load-1": 0.3}
    assert all(url.startswith(f"http://{door}" if door else "http://127.0.0.1:") for url in asked)
