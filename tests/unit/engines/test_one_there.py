"""Settings as containers of another machine: each takes the place of the one before, and its end is told in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import ROOT

from wsgilab.engines import HealthCheck
from wsgilab.engines.containers import Addition
from wsgilab.engines.moving_in import Site
from wsgilab.engines.one_container import CurrentContainer
from wsgilab.engines.one_there import OneThere
from wsgilab.engines.stack import Docker, Stack
from wsgilab.errors import ServerError
from wsgilab.lab import families, variants
from wsgilab.lab.servers import load_lab
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import UNHEARD
from wsgilab.model.request import Request
from wsgilab.model.tuning import Setting

HOSTS = ("app=there,role=servers,address=10.0.0.5", "load-1=far,role=load")
SETTINGS = ["gunicorn-sync-1", "gunicorn-sync-2"]


class Relay:
    """One behind which nobody answers."""

    silent = False
    ahead_s = 0.0

    def local(self, url: str) -> str:
        return url.replace("http://", "http://127.0.0.1:1/")


class Engine:
    """What the docker command was asked, and what it answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.state: dict[str, Any] = {"Running": True}
        self.starts = True

    def ask(self, *words: str) -> Outcome:
        self.asked.append(" ".join(words).removeprefix("compose --profile more "))
        if "inspect" in words:
            return Outcome(0, json.dumps(self.state))
        if "up" in words and not self.starts:
            return Outcome(1, err="no space left on device")
        return Outcome(0, "c0ffee" if "--quiet" in words else "")


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> tuple[OneThere, Engine]:
    """A tuning's servers, the first of which runs."""
    lab = variants.add(load_lab(ROOT, {}), [families.variant_of(Setting.named(name)) for name in SETTINGS])
    request = Request(command="tune", engine="compose", hosts=HOSTS, start_timeout_s=0.5)
    stack = Stack(lab, lab.select(SETTINGS), request, Stop(), UNHEARD)
    together, engine = request.elsewhere, Engine()
    assert together
    monkeypatch.setattr(Docker, "ask", lambda _docker, *words, **_options: engine.ask(*words))
    made, docker = OneThere(stack, together), Docker(stack, {"COMPOSE_PROJECT_NAME": "wsgilab-1"})
    made._docker, made._relay = docker, Relay()  # type: ignore[assignment]
    made._site = Site(together.servers, docker, Addition(), "4f2a")
    made._current = CurrentContainer(docker, SETTINGS[0])
    return made, engine


def test_all_settings_are_in_its_project_and_one_runs(there: tuple[OneThere, Engine]) -> None:
    made, _ = there
    assert made._site.services == ["nginx", "nginx-exporter", *SETTINGS]
    assert [server.name for server in made.running] == SETTINGS[:1]


def test_the_next_setting_takes_the_place_of_the_one_that_runs(
    there: tuple[OneThere, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HealthCheck, "passes", lambda check: setattr(check, "healthy", True) or True)
    made, engine = there
    first, second = made.servers
    made.restart(second)
    assert engine.asked[:2] == ["stop --timeout 1 gunicorn-sync-1", "up --detach --no-deps gunicorn-sync-2"]
    assert made.running == [second]
    assert made.death(first) == "was not started"
    made.restart(second)
    assert "restart --timeout 1 gunicorn-sync-2" in engine.asked


def test_how_a_setting_ended_is_told(there: tuple[OneThere, Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgilab.engines.one_container.ASK_EVERY_S", 0.0)
    made, engine = there
    _, second = made.servers
    engine.state = {"Running": False, "OOMKilled": True}
    with pytest.raises(ServerError, match=r"gunicorn-sync-2 was killed by the kernel \(out of memory\)"):
        made.restart(second)
    assert made.death(second) == "was killed by the kernel (out of memory)"
    made._relay.silent = True  # type: ignore[misc]
    assert made.death(second) is None, "behind a cut link nobody knows"


def test_a_container_that_cannot_be_made_is_told_with_what_docker_said(there: tuple[OneThere, Engine]) -> None:
    made, engine = there
    engine.starts = False
    with pytest.raises(ServerError, match="did not start a container of gunicorn-sync-2 on app: no space left") as told:
        made.restart(made.servers[1])
    assert told.value.next_command.startswith("./lab doctor --host ")
