"""The relay: what is asked of a port here is answered by the other side, for addresses that were made known."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

import pytest

import wsgilab.engines.relay
from wsgilab.engines.relay import Relay
from wsgilab.errors import LabError
from wsgilab.machine import http
from wsgilab.machine.waiting import Stop, poll_until

FAR_SIDE = """
    import base64, json, sys
    def say(kind, content): print(kind, json.dumps(content), flush=True)
    say("hello", {"sources": "s", "k6": "k6 v2.3.0", "cpus": 2, "machine": {"kernel": "6.1"}})
    for line in sys.stdin:
        kind, content = line.split(" ", 1)
        said = json.loads(content)
        if kind == "ping":
            say("pong", [said, said + 60])
        elif kind == "listen":
            say("listening", None)
        elif kind == "ask" and said["url"].endswith("/late"):
            pass
        elif kind == "ask" and said["url"].endswith("/gone"):
            say("answer", {"number": said["number"], "trouble": "refused"})
        elif kind == "ask":
            body = base64.b64encode(said["url"].encode()).decode()
            say("answer", {"number": said["number"], "status": 200, "headers": {"X-Lab-Run": "4f2a"}, "body": body})
"""


def program(text: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(text)]


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay(program(FAR_SIDE), Stop()) as relay:
        relay.start()
        yield relay


def test_an_exporter_there_is_read_at_an_address_here(relay: Relay) -> None:
    url = relay.local("http://gunicorn:9100/metrics")
    assert url.startswith("http://127.0.0.1:")
    answer = http.ask(url)
    assert (answer.status, answer.text) == (200, "http://gunicorn:9100/metrics")
    assert answer.headers["X-Lab-Run"] == "4f2a"
    again = http.ask(relay.local("http://nginx:8005") + "/health?x=1")
    assert again.text == "http://nginx:8005/health?x=1"


def test_it_says_what_machine_is_there_and_how_far_its_clock_is_ahead(relay: Relay) -> None:
    assert relay.hello.machine == {"kernel": "6.1"}
    assert round(relay.ahead_s) == 60


def test_what_was_not_made_known_and_who_means_another_name_gets_nothing(relay: Relay) -> None:
    url = relay.local("http://gunicorn:9100/metrics")
    elsewhere = url.replace("gunicorn:9100", "169.254.169.254")
    assert http.ask(elsewhere).status == 404
    assert http.ask(url, headers={"Host": "a-page-in-a-browser.example"}).status == 403


def test_where_nobody_answers_there_that_is_said(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    assert http.ask(relay.local("http://gunicorn:9100/gone")).status == 502
    monkeypatch.setattr(wsgilab.engines.relay, "ASK_TIMEOUT_S", 0.2)
    assert http.ask(relay.local("http://gunicorn:9100/late")).status == 502


def test_a_relay_that_has_ended_is_silent_and_another_can_take_its_place(relay: Relay) -> None:
    url = relay.local("http://gunicorn:9100/metrics")
    assert not relay.silent
    relay._dialogue.end(3)
    assert relay.silent
    assert http.ask(url).status == 502
    relay.start()
    assert not relay.silent
    assert http.ask(url).ok, "the same address as before"


def test_one_that_falls_silent_is_known_by_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgilab.engines.relay, "SILENCE_S", 0.2)
    monkeypatch.setattr(wsgilab.engines.relay, "SPEAK_EVERY_S", 60)
    with Relay(program(FAR_SIDE), Stop()) as relay:
        relay.start()
        assert poll_until(lambda: relay.silent, Stop(), 20)


def test_what_docker_says_is_told_where_no_container_comes() -> None:
    refused = program("import sys; sys.exit('The name is already in use by container 1')")
    with Relay(refused, Stop()) as relay, pytest.raises(LabError, match="already in use by container"):
        relay.start()
