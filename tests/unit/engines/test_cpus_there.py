"""CPUs of the servers' machine are named by what holds there, not by what holds here."""

from __future__ import annotations

import pytest
from support import ROOT

from wsgilab.engines import far_engines
from wsgilab.engines.cpus_there import besides_servers, require_for_services
from wsgilab.engines.far_engines import EngineFacts
from wsgilab.engines.stack import Stack
from wsgilab.errors import MissingError, UsageError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import UNHEARD
from wsgilab.model.needs import Needs, Service
from wsgilab.model.request import Request

HOSTS = ("app=there,role=servers,address=10.0.0.5", "load-1=far,role=load")
DATABASE = Needs(services=(Service("db"),))


def engine(cpus: int) -> EngineFacts:
    return EngineFacts("a", "28.5.2", "amd64", cpus, 8000, pins=True, has_image=True)


def stack(needs: Needs = DATABASE, **variables: str) -> Stack:
    lab = load_lab(ROOT, {"LOAD_CPUS": "1", **variables})
    return Stack(lab, lab.select(["gunicorn"]), Request(hosts=HOSTS, needs=needs), Stop(), UNHEARD)


def test_the_relay_has_those_that_servers_leave() -> None:
    asked = stack(SERVER_CPUS="0-2")
    together = asked.request.elsewhere
    assert together
    assert besides_servers(asked, engine(4), together) == {3}
    assert besides_servers(asked, engine(3), together) == set()
    with pytest.raises(MissingError, match="are to have CPU 0-2, and app has CPU 0-1"):
        besides_servers(asked, engine(2), together)


@pytest.mark.parametrize(
    ("variables", "cpus", "error", "said", "best"),
    [
        ({}, 4, UsageError, "Nothing says which CPUs of app", "SERVICE_CPUS=1-3 ./lab run --host app="),
        ({}, 1, UsageError, "Nothing says which CPUs of app", "SERVICE_CPUS=0 ./lab run"),
        ({"SERVICE_CPUS": "6"}, 4, MissingError, "SERVICE_CPUS=6, but app has CPU 0-3", "SERVICE_CPUS=1-3 ./lab run"),
    ],
)
def test_services_have_none_that_nobody_named_for_that_machine(
    variables: dict[str, str],
    cpus: int,
    error: type[UsageError | MissingError],
    said: str,
    best: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(far_engines, "fit", lambda _host: engine(cpus))
    asked = stack(**variables)
    together = asked.request.elsewhere
    assert together
    with pytest.raises(error, match=said) as told:
        require_for_services(asked, together)
    assert told.value.next_command.startswith(best)


def test_services_with_cpus_of_their_own_or_none_at_all_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_engines, "fit", lambda _host: engine(4))
    for asked in (stack(SERVICE_CPUS="2-3"), stack(Needs())):
        together = asked.request.elsewhere
        assert together
        require_for_services(asked, together)
