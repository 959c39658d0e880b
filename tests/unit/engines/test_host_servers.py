"""The servers' host as an engine: where load reaches a server, where it is read, and what a cut link is taken for."""

from __future__ import annotations

import json

import pytest
from support import ROOT

from wsgilab.engines import host_servers
from wsgilab.engines.containers import Addition
from wsgilab.engines.host_servers import HostServers
from wsgilab.engines.moving_in import Site
from wsgilab.engines.stack import Docker, Stack
from wsgilab.lab.servers import load_lab
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.far import Hello
from wsgilab.model.listener import UNHEARD
from wsgilab.model.request import Request

LOAD = "load-1=far,role=load"
BY_ADDRESS = ("app=there,role=servers,address=10.0.0.5", LOAD)
BY_OVERLAY = ("app=there,role=servers,network=overlay:lab", LOAD)
ROWS = [
    {"Service": "gunicorn", "Publishers": [{"TargetPort": 8000, "PublishedPort": 8003}]},
    {
        "Service": "nginx",
        "Publishers": [{"TargetPort": 8005, "PublishedPort": 8005}, {"TargetPort": 8080, "PublishedPort": 32768}],
    },
]


class Relay:
    """One that answers nothing."""

    silent = False
    ahead_s = 1.5
    hello = Hello("", "", 1, {"kernel": "6.1"})
    starts = 0

    def local(self, url: str) -> str:
        return url.replace("http://", "http://127.0.0.1:40001/")

    def start(self) -> None:
        self.starts += 1
        self.silent = False


def engine(hosts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> tuple[HostServers, Relay]:
    """One that has started its servers."""
    lab = load_lab(ROOT, {})
    stack = Stack(lab, lab.select(["gunicorn", "uwsgi"]), Request(engine="compose", hosts=hosts), Stop(), UNHEARD)
    together = stack.request.elsewhere
    assert together
    made, relay = HostServers(stack, together), Relay()
    docker = Docker(stack, {"COMPOSE_PROJECT_NAME": "wsgilab-1"})
    made._docker, made._relay = docker, relay  # type: ignore[assignment]
    made._site = Site(together.servers, docker, Addition(), "4f2a")
    listing = "\n".join(map(json.dumps, ROWS))
    monkeypatch.setattr(Docker, "ask", lambda *_words, **_options: Outcome(0, listing))
    monkeypatch.setattr(host_servers, "join", lambda _host, _network: "10.0.0.5:32769")
    made._look_at_ports()
    return made, relay


def test_load_goes_to_the_published_port_and_readings_through_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = engine(BY_ADDRESS, monkeypatch)
    gunicorn, uwsgi = (made.endpoint(server) for server in made.servers)
    assert (gunicorn.url, uwsgi.url) == ("http://10.0.0.5:8003", "http://10.0.0.5:8005")
    assert gunicorn.exporter_url == "http://127.0.0.1:40001/gunicorn:9100/metrics"
    assert gunicorn.proxy_exporter_url is None
    assert uwsgi.proxy_exporter_url == "http://127.0.0.1:40001/nginx-exporter:9100/metrics"
    assert (gunicorn.run_id, gunicorn.ahead_s) == ("4f2a", 1.5)
    with made.fixed_answer() as at:
        assert at.url == "http://10.0.0.5:32768"


def test_by_an_overlay_load_goes_to_the_names_of_services(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = engine(BY_OVERLAY, monkeypatch)
    assert [made.endpoint(server).url for server in made.servers] == ["http://gunicorn:8000", "http://nginx:8005"]
    with made.fixed_answer() as at:
        assert at.url == "http://nginx:8080"


def test_a_cut_link_is_told_once_and_for_as_long_as_it_stays_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    made, relay = engine(BY_ADDRESS, monkeypatch)
    assert made.lost_service() is None
    relay.silent = True
    assert made.lost_service() == "the link to app was cut", "it is back at once, but a window lacked it"
    assert made.lost_service() is None
    relay.silent = True
    monkeypatch.setattr(made, "_reconnected", lambda: False)
    assert [made.lost_service() for _ in range(3)] == ["the link to app was cut"] * 3
    monkeypatch.setattr(made, "_reconnected", lambda: True)
    assert made.lost_service() is None, "the next window can be measured"


def test_a_server_behind_a_cut_link_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    made, relay = engine(BY_ADDRESS, monkeypatch)
    relay.silent = True
    assert made.lives(made.servers[0])
    assert made.death(made.servers[0]) is None


def test_the_manifest_is_of_the_servers_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = engine(BY_ADDRESS, monkeypatch)
    assert made.facts()["host"] == {"kernel": "6.1"}
