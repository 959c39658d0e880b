"""Generators start together: nobody before all are there."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from wsgilab.machine import http
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.measure.start_line import CALLED_OFF, GO, StartLine


def status_of(url: str) -> int:
    """What it was told; whoever comes as the line is closed is not listened to any more, which is as good."""
    try:
        return http.ask(url, timeout_s=20).status
    except http.NoAnswer:
        return CALLED_OFF


def test_nobody_starts_before_all_are_there() -> None:
    with StartLine(3) as line, ThreadPoolExecutor() as callers:
        assert line.missing == (1, 2, 3)
        early = [callers.submit(status_of, line.url(number)) for number in (3, 1)]
        assert poll_until(lambda: line.missing == (2,), Stop(), 20)
        assert not line.started
        assert not any(call.done() for call in early)
        assert status_of(line.url(2)) == GO
        assert [call.result() for call in early] == [GO, GO]
        assert line.started


def test_the_same_generator_twice_is_not_two() -> None:
    with ThreadPoolExecutor() as callers:
        with StartLine(2) as line:
            both = [callers.submit(status_of, line.url(1)) for _ in range(2)]
            assert poll_until(lambda: line.missing == (2,), Stop(), 20)
            assert not line.started
        assert {call.result() for call in both} == {CALLED_OFF}


def test_a_start_that_is_called_off_lets_those_go_who_wait() -> None:
    with ThreadPoolExecutor() as callers:
        with StartLine(2) as line:
            waits = callers.submit(status_of, line.url(1))
            assert poll_until(lambda: line.missing == (2,), Stop(), 20)
        assert waits.result() == CALLED_OFF


def test_strangers_neither_count_nor_are_in_the_way() -> None:
    with StartLine(1) as line:
        at = urlsplit(line.url(1))
        assert at.hostname == "127.0.0.1"
        for path in ("/", "/1", "/guess/1", f"{at.path}0", at.path.replace("/1", "/2"), at.path.replace("/1", "/x")):
            assert status_of(f"http://{at.netloc}{path}") == 404
        with socket.create_connection(("127.0.0.1", int(at.port or 0))):  # says nothing
            assert not line.started
            assert status_of(line.url(1)) == GO
