"""Servers whose load comes from other machines are processes of this one, whatever else could run them."""

from __future__ import annotations

import pytest
from support import ROOT

from wsgilab.engines.choice import choose
from wsgilab.engines.stack import Stack
from wsgilab.errors import UsageError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import UNHEARD
from wsgilab.model.request import ENGINES, Request

HOSTS = ("app=here,role=servers,address=10.0.0.5", "load-1=far,role=load")


@pytest.mark.parametrize("engine", ENGINES)
def test_load_from_other_machines_is_for_local_processes_alone(engine: str) -> None:
    lab = load_lab(ROOT, {})
    stack = Stack(lab, [lab.servers["gunicorn"]], Request(engine=engine, hosts=HOSTS), Stop(), UNHEARD)
    if engine in ("auto", "local"):
        assert choose(stack)[0] == "local"
        return
    with pytest.raises(UsageError, match="run as local processes") as caught:
        choose(stack)
    assert caught.value.cause == f"--engine {engine} conflicts with --hosts"
