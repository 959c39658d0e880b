"""What the runner in its container asks of the host, and what it does when nobody answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support import ROOT

from wsgilab.engines import HealthCheck
from wsgilab.engines.attached import AttachedEngine
from wsgilab.engines.errands import Host, answer
from wsgilab.engines.one_container import OneContainer
from wsgilab.errors import Interrupted, ServerError
from wsgilab.lab import families, variants
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.model.errands import Done, Errand, What
from wsgilab.model.listener import UNHEARD
from wsgilab.model.tuning import Setting

SETTINGS = ["gunicorn-sync-1", "gunicorn-sync-2"]


@contextmanager
def host(*answers: Done | bytes, stop: Stop | None = None) -> Iterator[tuple[Host, list[Errand]]]:
    """A host that answers with these, one after the other, then with nothing."""
    reading, writing = os.pipe()
    asked: list[Errand] = []
    left = list(answers)

    def tell(errand: Errand) -> None:
        asked.append(errand)
        if left:
            said = left.pop(0)
            os.write(writing, said if isinstance(said, bytes) else f"{answer(said)}\n".encode())
        else:
            os.close(writing)

    try:
        yield Host(tell, reading, stop or Stop()), asked
    finally:
        os.close(reading)


def test_an_errand_is_told_and_its_answer_read() -> None:
    with host(Done(ok=True), Done(ok=True, text="one\ntwo")) as (asked_host, asked):
        assert asked_host.restart("uwsgi") is True
        assert asked_host.log("uwsgi") == "one\ntwo"
    assert asked == [Errand(What.RESTART, "uwsgi"), Errand(What.LOG, "uwsgi")]


@pytest.mark.parametrize("said", [b"nonsense\n", b"{}\n", b"\n"])
def test_no_answer_and_nonsense_are_a_no(said: bytes) -> None:
    with host(said) as (asked_host, _):
        assert asked_host.restart("uwsgi") is False
        assert asked_host.log("uwsgi") == "", "the host has gone"


def test_a_signal_ends_the_wait_for_an_answer() -> None:
    stop = Stop()
    stop.request()
    with host(b"", stop=stop) as (asked_host, _), pytest.raises(Interrupted):
        asked_host.restart("uwsgi")


def test_the_runner_starts_servers_anew_only_where_a_host_does_it() -> None:
    lab = load_lab(ROOT, {})
    servers = lab.select(["gunicorn"])
    assert AttachedEngine(lab, servers, Stop(), 30.0, UNHEARD).restarts is False
    assert AttachedEngine(lab, servers, Stop(), 30.0, UNHEARD).log(servers[0]) == ""
    with host(Done(ok=True, text="ready")) as (asked_host, _):
        engine = AttachedEngine(lab, servers, Stop(), 30.0, UNHEARD, asked_host)
        assert engine.restarts is True
        assert engine.log(servers[0]) == "ready"


def test_the_host_resets_an_app_and_looks_after_its_services() -> None:
    lab = load_lab(ROOT, {})
    (server,) = lab.select(["gunicorn"])
    failed, ended = Done(ok=False, text="`make reset` failed"), Done(ok=True, text="the service db ended")
    with host(Done(ok=True), failed, ended, Done(ok=True)) as (asked_host, asked):
        engine = AttachedEngine(lab, [server], Stop(), 30.0, UNHEARD, asked_host)
        engine.reset(server)
        with pytest.raises(ServerError, match="`make reset` failed"):
            engine.reset(server)
        assert engine.lost_service() == "the service db ended"
        assert engine.lost_service() is None
        assert engine.lost_service() is None, "a host that has gone tells of no loss"
    assert asked[:3] == [Errand(What.RESET, "gunicorn")] * 2 + [Errand(What.SERVICES)]


def test_without_a_host_nobody_resets_an_app() -> None:
    lab = load_lab(ROOT, {})
    (server,) = lab.select(["gunicorn"])
    engine = AttachedEngine(lab, [server], Stop(), 30.0, UNHEARD)
    assert engine.lost_service() is None
    with pytest.raises(ServerError, match="Nobody can reset"):
        engine.reset(server)


def one_container(asked_host: Host) -> OneContainer:
    lab = variants.add(load_lab(ROOT, {}), [families.variant_of(Setting.named(name)) for name in SETTINGS])
    return OneContainer(lab, lab.select(SETTINGS), Stop(), 0.5, UNHEARD, asked_host)


def test_of_a_tuning_one_server_runs_and_the_host_starts_the_next_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HealthCheck, "passes", lambda check: setattr(check, "healthy", True) or True)
    with host(Done(ok=True)) as (asked_host, asked):
        engine = one_container(asked_host)
        first, second = engine.servers
        assert engine.running == [first]
        engine.restart(second)
        assert engine.running == [second]
        assert asked == [Errand(What.RESTART, second.name)]
        assert engine.death(first) == "was not started"


def test_a_setting_that_does_not_start_ends_with_the_hosts_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HealthCheck, "passes", lambda _check: False)
    monkeypatch.setattr("wsgilab.engines.one_container.ASK_EVERY_S", 0.0)
    killed = Done(ok=True, text="was killed by the kernel (out of memory)")
    with host(Done(ok=True), killed, killed) as (asked_host, _):
        engine = one_container(asked_host)
        with pytest.raises(ServerError, match=r"gunicorn-sync-2 was killed by the kernel \(out of memory\)"):
            engine.restart(engine.servers[1])
    with (
        host(Done(ok=False)) as (asked_host, _),
        pytest.raises(ServerError, match="Docker did not start a container of gunicorn-sync-2"),
    ):
        one_container(asked_host).restart(engine.servers[1])


@pytest.mark.parametrize(("up", "asks"), [(True, 0), (False, 1)])
def test_the_host_is_asked_how_a_setting_ended_where_its_exporter_is_silent(
    monkeypatch: pytest.MonkeyPatch, up: bool, asks: int
) -> None:
    monkeypatch.setattr("wsgilab.engines.one_container.says_up", lambda _exporter_url: up)
    with host(Done(ok=True, text="ended with exit code 3")) as (asked_host, asked):
        engine = one_container(asked_host)
        assert engine.death(engine.servers[0]) == (None if up else "ended with exit code 3")
        assert len(asked) == asks
