"""Which engine has the servers is said by their host, whatever else could run them."""

from __future__ import annotations

import pytest
from support import ROOT

from wsgilab.engines import shipping
from wsgilab.engines.choice import choose
from wsgilab.engines.stack import Stack
from wsgilab.errors import UsageError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import UNHEARD
from wsgilab.model.request import ENGINES, Request

LOAD = "load-1=far,role=load"
HERE = ("app=here,role=servers,address=10.0.0.5", LOAD)
THERE = ("app=ssh://lab@10.0.0.5,role=servers,address=10.0.0.5", LOAD)


def stack(engine: str, hosts: tuple[str, ...]) -> Stack:
    lab = load_lab(ROOT, {})
    return Stack(lab, [lab.servers["gunicorn"]], Request(engine=engine, hosts=hosts), Stop(), UNHEARD)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("hosts", "kind"), [(HERE, "local"), (THERE, "compose")])
def test_servers_are_what_their_host_says(
    engine: str, hosts: tuple[str, ...], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplied = []
    monkeypatch.setattr(shipping, "supply", lambda _stack, together: supplied.append(together.servers.name))
    if engine in ("auto", kind):
        assert choose(stack(engine, hosts))[0] == kind
        assert supplied == (["app"] if kind == "compose" else []), "its images are there before anything starts"
        return
    with pytest.raises(UsageError, match="said by their host") as caught:
        choose(stack(engine, hosts))
    assert f"--engine {engine} conflicts with --hosts" in caught.value.cause


def test_the_docker_command_is_led_to_the_servers_engine_and_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/ours.sock")
    monkeypatch.setenv("DOCKER_CONTEXT", "ours")
    leading = {name: value for name, value in stack("auto", THERE).environment().items() if name.startswith("DOCKER_")}
    assert leading["DOCKER_HOST"] == "ssh://lab@10.0.0.5"
    assert "DOCKER_CONTEXT" not in leading
    by_context = ("app=cloud,role=servers,address=10.0.0.5", LOAD)
    leading = stack("auto", by_context).environment()
    assert leading["DOCKER_CONTEXT"] == "cloud"
    assert "DOCKER_HOST" not in leading
    assert stack("auto", HERE).environment()["DOCKER_HOST"] == "unix:///run/ours.sock"
