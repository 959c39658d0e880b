"""What the runner in its container asks of the host, and what it does when nobody answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support import ROOT

from wsgilab.engines.attached import AttachedEngine
from wsgilab.engines.errands import Host, answer
from wsgilab.errors import Interrupted, ServerError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.model.errands import Done, Errand, What
from wsgilab.model.listener import UNHEARD


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
