"""The engine of a runner in a cluster: the same questions as in Compose, other words and other hints."""

from __future__ import annotations

from typing import Any

import pytest
from support import ROOT

from wsgilab.engines import choice
from wsgilab.engines.attached import AttachedEngine
from wsgilab.engines.cluster import ClusterEngine, next_to_runner
from wsgilab.engines.stack import Stack
from wsgilab.errors import MissingError, ServerError
from wsgilab.lab.servers import load_lab
from wsgilab.machine import http
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import UNHEARD
from wsgilab.model.request import Request

LAB = load_lab(
    ROOT,
    {"SERVER_CPUS": "0-1", "SERVER_IMAGE": "registry.example/server@sha256:1", "CLUSTER_NAMESPACE": "ours"},
)
KUBECTL = "kubectl --namespace ours"
GUNICORN, UWSGI = LAB.select(["gunicorn", "uwsgi"])


def engine(start_timeout_s: float = 0.0) -> ClusterEngine:
    return ClusterEngine(LAB, [GUNICORN, UWSGI], Stop(), start_timeout_s, UNHEARD)


def stack(name: str) -> Stack:
    return Stack(LAB, [GUNICORN], Request(engine=name), Stop(), UNHEARD)


def test_a_verdict_says_that_it_was_a_cluster() -> None:
    found = next_to_runner(stack("kubernetes"))
    assert (found.name, found.restarts) == ("kubernetes", False)
    assert type(next_to_runner(stack("attached"))) is AttachedEngine
    assert choice.choose(stack("kubernetes")) == ("kubernetes", "the runner is a pod next to the servers")


def test_it_says_how_many_cpus_each_has_and_not_which() -> None:
    facts: Any = engine().facts()
    assert facts["limits"]["cpus_of_each_server"] == 2
    assert "SERVER_CPUS" not in facts["limits"]
    assert facts["images"]["SERVER_IMAGE"] == "registry.example/server@sha256:1"
    assert facts["namespace"] == "ours"


def test_a_name_that_leads_nowhere_is_a_pod_that_no_node_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> http.Answer:
        raise http.NoAnswer("Name or service not known")

    monkeypatch.setattr(http, "ask", nobody)
    monkeypatch.setattr("socket.gethostbyname", nobody_knows)
    with pytest.raises(MissingError) as raised:
        engine().start()
    assert raised.value.what == "gunicorn has no running pod."
    assert raised.value.next_command == f"{KUBECTL} describe pods --selector app.kubernetes.io/name=gunicorn"


def nobody_knows(_name: str) -> str:
    raise OSError("Name or service not known")


def test_a_pod_that_does_not_get_healthy_is_a_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ask", lambda *_, **__: (_ for _ in ()).throw(http.NoAnswer("refused")))
    monkeypatch.setattr("socket.gethostbyname", lambda _name: "10.0.0.1")
    with pytest.raises(ServerError) as raised:
        engine().start()
    assert raised.value.what.startswith("gunicorn did not start: not healthy after 0 s.")
    assert raised.value.next_command == f"{KUBECTL} logs deployment/gunicorn --container gunicorn"


def test_one_behind_nginx_is_looked_for_in_nginx_s_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ask", lambda *_, **__: (_ for _ in ()).throw(http.NoAnswer("refused")))
    assert engine().not_there(UWSGI).next_command.endswith("app.kubernetes.io/name=nginx")
    with pytest.raises(ServerError) as raised:
        engine().restart(UWSGI)
    assert raised.value.next_command == f"{KUBECTL} logs --previous deployment/nginx --container uwsgi"
    with pytest.raises(MissingError, match="nginx was not found"), engine().fixed_answer():
        pass
