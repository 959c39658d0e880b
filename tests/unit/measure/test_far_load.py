"""The load of another machine: understood line by line, its clock put right, missed by name when it falls silent."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from dataclasses import asdict

import pytest
from factories import load_result, plan

import wsgilab.measure.far_load
from wsgilab.errors import LabError
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.measure.far_load import FarLoad, FarStart
from wsgilab.measure.summary import HandedOver
from wsgilab.model.clock import Clock, better
from wsgilab.model.far import Order

ORDER = Order(plan("gunicorn"), "http://10.0.0.5:8003", "", 1, 1, "load-1")
HELLO = 'hello {"sources":"s","k6":"k6 v1.1.0","cpus":2}'
HANDED_OVER = HandedOver(load_result([24.0] * 250), 250, 0, 1000.5, 250)


def far_side(script: str) -> list[str]:
    """A program that says what a far side would."""
    begin = "import json, sys, time\ndef say(line): print(line, flush=True)\ndef hear(): return sys.stdin.readline()\n"
    return [sys.executable, "-c", begin + textwrap.dedent(script)]


def started(script: str) -> tuple[FarLoad, FarStart]:
    start = FarStart(1)
    start.loads.append(FarLoad(far_side(script), ORDER, start.arrived, "./lab doctor"))
    return start.loads[0], start


def test_the_faster_an_answer_the_more_it_says_of_a_clock() -> None:
    clock = better(Clock(), sent=100.0, answered=160.0, heard=100.2)
    assert (round(clock.ahead_s, 3), round(clock.within_s, 3)) == (59.9, 0.1)
    assert better(clock, sent=200.0, answered=260.0, heard=201.0) is clock
    assert better(clock, sent=200.0, answered=260.0, heard=200.02).within_s < 0.011


def test_a_far_k6_hands_over_what_it_saw_by_the_clock_of_this_machine() -> None:
    handed = json.dumps(asdict(HANDED_OVER), default=dict)
    load, start = started(f"""
        say({HELLO!r})
        while (word := hear().split(" ", 1))[0] == "ping":
            say("pong " + json.dumps([json.loads(word[1]), json.loads(word[1]) + 3600]))
        assert word[0] == "order" and json.loads(word[1])["host"] == "load-1"
        say('arrived {{"cpu_s":0.1,"wait_s":0.0}}')
        while hear().split(" ", 1)[0] != "go": pass
        say('used {{"cpu_s":0.2,"wait_s":0.0}}')
        say("done " + {handed!r})
        say("a line of k6")
        say("over null")
    """)
    with load:
        seen = load.hand_over()
        assert start.started
        with load.console() as lines:
            assert list(lines) == ["a line of k6\n"]
    assert round(seen.schedule_at - 1000.5) == -3600
    assert round(seen.result.started_at - HANDED_OVER.result.started_at) == -3600
    assert (seen.result.ok, seen.scheduled) == (HANDED_OVER.result.ok, 250)
    assert load.cpu_s == HANDED_OVER.result.k6_cpu_s


@pytest.mark.parametrize(
    ("script", "what", "cause"),
    [
        ("print('no route to host', file=sys.stderr)", "k6 on load-1 gave no result: its container ended", "no route"),
        (f"say({HELLO!r}); say('nonsense')\nhear()", "it said 'nonsense'", "its machine"),
        (f"say({HELLO!r}); say('failed ' + json.dumps(dict(what='k6 broke', cause='a stone')))", "k6 broke", "a stone"),
    ],
)
def test_one_that_hands_nothing_over_is_named(script: str, what: str, cause: str) -> None:
    load, _ = started(script)
    with load, pytest.raises(LabError) as caught:
        load.hand_over()
    assert what in caught.value.what
    assert cause in caught.value.cause
    assert caught.value.next_command == "./lab doctor"


def test_one_that_falls_silent_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgilab.measure.far_load, "SILENCE_S", 0.3)
    load, _ = started(f"say({HELLO!r})\nwhile hear(): pass")
    with load, pytest.raises(LabError, match="nothing was heard of it"):
        load.hand_over()


def test_leaving_the_block_ends_the_far_side() -> None:
    load, _ = started(f"say({HELLO!r})\nwhile hear(): pass")
    with load:
        assert poll_until(lambda: load._pings > 0, Stop(), 20)
        began = time.monotonic()
    assert load._dialogue.ended
    assert time.monotonic() - began < 3, "the end of its input is enough"
