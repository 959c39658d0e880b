"""Limits in front of the slots, and memory that grows with every request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories import evidence, inside_of, plain_window, samples, window

from wsgilab.analysis import causes
from wsgilab.analysis.causes import connections, memory
from wsgilab.model.outcomes import Rating
from wsgilab.model.server import ServerFacts
from wsgilab.model.window import Window

WAITRESS = ServerFacts("waitress", "Waitress, one process with threads", "8", 8, None)


class TestConnections:
    def test_waitress_takes_a_hundred_and_says_so_beside_its_slots(self) -> None:
        late = plain_window([3000.0] * 600, rate_rps=300.0)
        full = inside_of(late, connections_max=100, at_once=8, at_once_in_one_process=8, workers_min=1, workers_max=1)
        said = [cause.sentence for cause in causes.find(evidence(full, server=WAITRESS, alone_ms=501.0), Rating.BAD)]
        assert said == [
            "limited by slots: 8 slots ÷ 501 ms = 16 rps, 300 rps offered",
            "waitress holds 100 connections at most (connection_limit), and all of them were taken",
        ]

    @pytest.mark.parametrize(("server", "most"), [("waitress", 60), ("waitress", None), ("gunicorn", 100)])
    def test_fewer_or_another_server_is_no_limit(self, server: str, most: int | None) -> None:
        some = evidence(
            inside_of(plain_window([24.0] * 600), connections_max=most), server=replace(WAITRESS, name=server)
        )
        assert connections.all_taken(some) is None

    @pytest.mark.parametrize(("refused", "explains"), [(3.0, False), (60.0, True)])
    def test_a_full_queue_explains_only_as_many_failures_as_it_refused(self, refused: float, explains: bool) -> None:
        plain = plain_window([24.0] * 600)
        assert plain.usage
        full = replace(plain, usage=replace(plain.usage, listen_overflows=refused))
        found = connections.queue_was_full(evidence(full))
        assert found
        assert (found.sentence, found.explains) == (
            f"{refused:g} connection attempts found the listen queue full",
            explains,
        )

    def test_a_full_queue_is_what_too_few_slots_make_of_a_load(self) -> None:
        full = window("gunicorn", 250)
        assert full.usage
        full = replace(full, usage=replace(full.usage, listen_overflows=60.0))
        found = causes.find(evidence(full), Rating.BAD)
        assert [cause.kind for cause in found] == ["slots", "queue"]


def growing(megabytes: list[float], requests_each: float = 20.0, **inside: Any) -> Window:
    """A reading a second with this memory."""
    quiet = samples(0.0, 0.0, len(megabytes))
    readings = [
        replace(reading, rss_bytes=mb * 1e6, requests=requests_each * number)
        for number, (reading, mb) in enumerate(zip(quiet, megabytes, strict=True))
    ]
    plain = plain_window([24.0] * 120, rate_rps=20.0)
    assert plain.usage
    used = replace(plain.usage, samples=tuple(readings), memory_mb=max(megabytes))
    return inside_of(replace(plain, usage=used), **inside)


def said(*windows: Window) -> str:
    found = memory.grows(evidence(*windows))
    return found.sentence if found else ""


class TestMemory:
    def test_growth_comes_with_what_is_left_until_the_limit(self) -> None:
        """2 MB for each of 20 requests a second, from 112 MB."""
        leak = growing([112.0 + 40 * second for second in range(7)], memory_limit_mb=512.0)
        assert said(leak) == "memory grew by 2.00 MB per request: about 80 requests until the limit of 512 MB"

    def test_without_a_limit_it_is_counted_in_half_gigabytes(self) -> None:
        leak = growing([112.0 + 40 * second for second in range(7)])
        assert said(leak) == "memory grew by 2.00 MB per request: each 512 MB last about 256 requests"

    def test_it_explains_no_latency(self) -> None:
        found = memory.grows(evidence(growing([112.0 + 40 * second for second in range(7)])))
        assert found
        assert (found.explains, found.of_app) == (False, True)

    @pytest.mark.parametrize(
        "megabytes",
        [
            [112.0] * 7,
            [60.0, 90.0, 110.0, 112.0, 112.0, 112.0, 112.0],  # what the first requests load
            [112.0 + second for second in range(7)],  # 6 MB
            [112.0, 200.0, 112.0, 112.0, 112.0, 112.0, 112.0],
            [112.0, 152.0, 192.0, 232.0, 272.0],  # too few readings
            [112.0, 152.0, 192.0, 192.0, 232.0, 272.0, 312.0],  # not with every request
            [112.0, 152.0, 190.0, 210.0, 215.0, 217.0, 218.0],  # ever slower
        ],
    )
    def test_what_settles_is_no_growth(self, megabytes: list[float]) -> None:
        assert said(growing(megabytes)) == ""

    @pytest.mark.parametrize("inside", [{"workers_min": 1}, {"worker_starts": 2}])
    def test_workers_that_are_added_take_memory_of_their_own(self, inside: dict[str, int]) -> None:
        assert said(growing([112.0 + 40 * second for second in range(7)], **inside)) == ""

    def test_every_window_must_show_it(self) -> None:
        leak, level = growing([112.0 + 40 * second for second in range(7)]), growing([400.0] * 7)
        assert said(leak, leak) != ""
        assert said(leak, level) == ""

    def test_requests_that_wait_hold_memory_too(self) -> None:
        leak = growing([112.0 + 40 * second for second in range(7)])
        assert leak.usage
        waiting = (*leak.usage.samples[:-1], replace(leak.usage.samples[-1], in_flight=40.0))
        assert said(replace(leak, usage=replace(leak.usage, samples=waiting))) == ""

    def test_a_start_that_takes_as_long_as_the_window_is_no_growth(self) -> None:
        """gunicorn in a window of 1.5 s: each of its workers loads code with its first requests."""
        starting = growing([60.0, 84.0, 100.0, 112.0], requests_each=10.0)
        assert said(starting) == ""
        assert said(starting, starting, starting) == "", "once in every start"

    def test_few_requests_show_nothing(self) -> None:
        assert said(growing([112.0 + 40 * second for second in range(7)], requests_each=5.0)) == ""

    def test_an_older_line_without_exact_readings_shows_nothing(self) -> None:
        assert said(growing([0.0] * 7)) == ""
