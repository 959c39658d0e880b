"""One local server at a time: each takes the place of the one before, at the same port."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT

from wsgilab.engines.local import LocalEngine
from wsgilab.engines.one_by_one import OneByOne
from wsgilab.lab import families, variants
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.model.tuning import Setting

NAMES = ["gunicorn-sync-1", "gunicorn-sync-2", "uwsgi-1x1", "uwsgi-1x2"]


def engine() -> OneByOne:
    lab = variants.add(load_lab(ROOT, {}), [families.variant_of(Setting.named(name)) for name in NAMES])
    return OneByOne(lab, lab.select(NAMES), Stop(), 1.0)


def test_they_share_ports_but_for_those_that_nginx_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one = engine()
    monkeypatch.setattr(one_by_one, "_localized", lambda value, _server: value)
    sync_1, sync_2, uwsgi_1, uwsgi_2 = one_by_one.servers
    assert sync_1.port == sync_2.port
    assert len({sync_1.port, uwsgi_1.port, uwsgi_2.port}) == 3
    assert len({one_by_one._environment(server)["LAB_EXPORTER_PORT"] for server in one_by_one.servers}) == 1


def test_one_ends_before_the_next_one_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one_by_one, did = engine(), list[str]()
    monkeypatch.setattr(one_by_one._background, "end", lambda names, mark: did.append(f"end {names[0]} {mark}"))
    monkeypatch.setattr(one_by_one, "_environment", lambda _server: {})
    monkeypatch.setattr(one_by_one._copies, "make", lambda server, _environment: did.append(f"copy {server.name}"))
    monkeypatch.setattr(LocalEngine, "restart", lambda _engine, server: did.append(f"start {server.name}"))
    first, second, *_ = one_by_one.servers
    assert one_by_one.running == [first]
    one_by_one.restart(second)
    one_by_one.restart(second)
    assert did == [
        "end gunicorn-sync-1 {'LAB_SERVER': 'gunicorn-sync-1'}",
        "copy gunicorn-sync-2",
        "start gunicorn-sync-2",
        "start gunicorn-sync-2",
    ]
    assert one_by_one.running == [second]
    assert one_by_one.death(first) == "was not started"
