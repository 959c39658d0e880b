"""One run at a time on another machine, with an image of this version; what a killed one has left there is removed."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import pytest
from support import ROOT

from wsgilab.engines import far_engines, lease
from wsgilab.engines.containers import Addition
from wsgilab.engines.far_engines import EngineFacts
from wsgilab.engines.moving_in import Site
from wsgilab.engines.stack import Docker, Stack
from wsgilab.errors import LabError, MissingError
from wsgilab.lab.servers import load_lab
from wsgilab.lab.sources import digest
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.far import Hello
from wsgilab.model.hosts import Hosts
from wsgilab.model.listener import Listener
from wsgilab.model.request import Request

HOSTS = ("app=there,role=servers,address=10.0.0.5", "load-1=far,role=load")
TAKEN = 'Conflict. The container name "/wsgilab-relay" is already in use by container "1"'


class Relay:
    """One whose container starts after so many tries, or never."""

    refusals: Sequence[str] = ()
    sources = digest(ROOT)

    def __init__(self, command: Sequence[str], _stop: Stop) -> None:
        self.command = command
        self.hello = Hello(self.sources, "k6", 1)
        self._left = list(self.refusals)

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def start(self) -> None:
        if self._left:
            raise LabError(self._left.pop(0), "", "")


class Heard(Listener):
    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> tuple[Site, Hosts, Heard]:
    """A machine with four CPUs, on which a killed run has left a volume."""
    heard, lab = Heard(), load_lab(ROOT, {"SERVER_CPUS": "0-2"})
    stack = Stack(lab, lab.select(["gunicorn"]), Request(hosts=HOSTS), Stop(), heard)
    together = stack.request.elsewhere
    assert together
    engine = EngineFacts("a", "28.5.2", "amd64", 4, 8000, pins=True, has_image=True, image="sha256:a")
    monkeypatch.setattr(far_engines, "fit", lambda _host: engine)
    monkeypatch.setattr(lease, "TRY_EVERY_S", 0.0)
    monkeypatch.setattr(lease, "Relay", Relay)
    monkeypatch.setattr(
        Docker,
        "ask",
        lambda _docker, *words, **_options: Outcome(0, "old_sockets" if words[:2] == ("volume", "ls") else ""),
    )
    return Site(together.servers, Docker(stack, {}), Addition(), "4f2a"), together, heard


def test_the_relay_has_the_cpus_that_servers_leave_and_what_was_left_is_removed(
    site: tuple[Site, Hosts, Heard],
) -> None:
    place, together, heard = site
    with lease.leased(place, together) as relay:
        command = relay.command  # type: ignore[attr-defined]
    assert command[command.index("--cpuset-cpus") + 1] == "3"
    assert "sha256:a" in command
    assert heard.said == ["A run that was killed had left this on app, which is removed: volume old_sockets"]


def test_the_end_of_an_earlier_run_s_relay_is_waited_for(
    site: tuple[Site, Hosts, Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, together, _ = site
    monkeypatch.setattr(Relay, "refusals", [TAKEN] * (lease.TRIES - 1))
    with lease.leased(place, together):
        pass


@pytest.mark.parametrize(
    ("refusals", "what", "cause"),
    [
        ([TAKEN] * lease.TRIES, "Another run measures on app", "would measure each other"),
        (["cannot assign requested address"], "did not start", "none of that machine's"),
    ],
)
def test_a_machine_that_cannot_be_had_is_told_with_its_reason(
    site: tuple[Site, Hosts, Heard], monkeypatch: pytest.MonkeyPatch, refusals: list[str], what: str, cause: str
) -> None:
    place, together, _ = site
    monkeypatch.setattr(Relay, "refusals", refusals)
    with pytest.raises(MissingError, match=what) as told, lease.leased(place, together):
        raise AssertionError("it was had")
    assert cause in told.value.cause


def test_an_image_of_another_version_is_refused(
    site: tuple[Site, Hosts, Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, together, _ = site
    monkeypatch.setattr(Relay, "sources", "old")
    with pytest.raises(MissingError, match="on app is of another version") as told, lease.leased(place, together):
        raise AssertionError("it was had")
    assert told.value.next_command == "DOCKER_CONTEXT=there docker compose build prometheus-setup"
