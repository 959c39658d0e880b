"""What a manifest says of servers, by what their exporters said when they had started."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from support import ROOT

from wsgilab.lab.servers import load_lab
from wsgilab.measure.job import job_for
from wsgilab.measure.manifest import describe
from wsgilab.model.manifest import Manifest
from wsgilab.model.request import Request

LAB = load_lab(ROOT, {"SERVER_CPUS": "0"})


def described(monkeypatch: pytest.MonkeyPatch, **said: dict[str, str]) -> Manifest:
    """The manifest of a run of these servers, whose exporters said this."""
    servers = LAB.select(list(said))
    monkeypatch.setattr("wsgilab.measure.manifest.identity", lambda url: said[url])
    engine = SimpleNamespace(
        name="local",
        servers=servers,
        running=servers,
        facts=dict,
        endpoint=lambda server: SimpleNamespace(exporter_url=server.name),
    )
    generator = SimpleNamespace(name="k6", version="1.1.0", origin="PATH")
    return describe(job_for(Request(seed=1), servers), LAB, engine, "asked for", generator)  # type: ignore[arg-type]


def test_servers_are_said_to_be_not_pinned_where_the_system_has_no_such_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert described(monkeypatch, gunicorn={"cpus": "0", "python": "3.13"}).not_pinned is None
    assert "cannot pin" in str(described(monkeypatch, gunicorn={"cpus": "", "python": "3.13"}).not_pinned)


def test_an_exporter_that_is_silent_says_nothing_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    found = described(monkeypatch, gunicorn={}, dev={"cpus": "0", "python": "3.13"})
    assert found.not_pinned is None
    assert found.versions["python"] == "3.13"
