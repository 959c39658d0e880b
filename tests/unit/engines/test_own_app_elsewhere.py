"""An app's own requirements on another machine: an image that this one has built is sent; else it is built there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.engines import own_app, shipping
from wsgilab.engines.stack import Docker, Stack
from wsgilab.errors import UsageError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.hosts import Host
from wsgilab.model.listener import UNHEARD
from wsgilab.model.request import Request

HOSTS = ("app=there,role=servers,address=10.0.0.5", "load-1=far,role=load")


class There:
    """An engine that has the image once it was sent, and cannot build one."""

    def __init__(self) -> None:
        self.has: list[str] = []
        self.builds = 0

    def ask(self, *words: str) -> Outcome:
        return Outcome(0 if words[:2] != ("image", "inspect") or words[2] in self.has else 1, "{}")

    def get_images(self, *_words: str) -> int:
        self.builds += 1
        return 1


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> There:
    engine = There()
    monkeypatch.setattr(Docker, "ask", lambda _docker, *words, **_options: engine.ask(*words))
    monkeypatch.setattr(Docker, "get_images", lambda _docker, *words: engine.get_images(*words))
    return engine


def stack(app_dir: Path, hosts: tuple[str, ...] = HOSTS) -> Stack:
    lab = load_lab(ROOT, {"LAB_APP_DIR": str(app_dir)})
    request = Request(engine="compose", hosts=hosts, requirements=("tabulate==0.9.0",))
    return Stack(lab, lab.select(["gunicorn"]), request, Stop(), UNHEARD)


def test_an_image_that_was_built_here_is_sent(there: There, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def bring(names: Sequence[str], host: Host, _stack: Stack) -> None:
        assert host.name == "app"
        there.has += names

    monkeypatch.setattr(shipping, "bring", bring)
    (server,) = own_app.prepared(stack(tmp_path), "compose").servers
    assert server.app
    assert [server.app.image] == there.has
    assert there.builds == 0


def test_where_it_cannot_be_built_there_it_can_be_built_here(
    there: There, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shipping, "bring", lambda _names, _host, _stack: None)
    with pytest.raises(UsageError, match="cannot be installed in an image") as told:
        own_app.prepared(stack(tmp_path), "compose")
    assert "built on this machine is sent to app" in told.value.cause
    assert told.value.next_command == f"./lab run --engine compose --app-dir {tmp_path} --quick"
    with pytest.raises(UsageError) as told:
        own_app.prepared(stack(tmp_path, hosts=()), "compose")
    assert told.value.next_command == "./lab run --engine local"
