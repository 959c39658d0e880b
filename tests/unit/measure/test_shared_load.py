"""Several k6 as one load: all told, each held to account, one that is lost named."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from factories import load_result

from wsgilab.errors import LabError
from wsgilab.measure.shared_load import SharedLoad, Terms
from wsgilab.measure.summary import HandedOver


class Stub:
    """A k6 that has ended, and what it left."""

    cpu_s = wait_s = 0.1
    host = "load-1"

    def __init__(self, number: int, took_ms: list[float], missing_lines: int = 0, trouble: str = "") -> None:
        self.name = f"generator {number}"
        self.took_ms = took_ms
        self.missing_lines = missing_lines
        self.trouble = trouble
        self.ended_at_s = time.monotonic()
        self.stopped = 0

    @property
    def failed(self) -> bool:
        return bool(self.trouble)

    def poll(self) -> bool:
        return True

    def ask_to_end(self) -> None:
        self.stopped += 1

    def stop(self) -> None:
        self.stopped += 1

    def hand_over(self) -> HandedOver:
        if self.trouble:
            raise LabError(f"{self.name} {self.trouble}", "a stone", "./lab doctor")
        own = load_result(self.took_ms)
        return HandedOver(own, len(self.took_ms), 0, 1000.0, 2 * len(self.took_ms))

    @contextmanager
    def console(self) -> Iterator[Iterable[str]]:
        told = self.took_ms[self.missing_lines :]
        yield [f'time="T" level=info msg=R/{tick}/1000/200/{took}/ok/-1\n' for tick, took in enumerate(told)]


class At:
    """A start line with nobody behind it."""

    def __init__(self, *missing: int) -> None:
        self.missing = missing
        self.closed = False

    @property
    def started(self) -> bool:
        return not self.missing

    def close(self) -> None:
        self.closed = True


def shared(hands: list[Stub], start: At, patience_s: float = 60.0, kept_in: Path | None = None) -> SharedLoad:
    return SharedLoad(hands, start, Terms(patience_s, kept_in, {"load-1": 3}), ExitStack())


FAST, SLOW = [float(ms) for ms in range(1, 51)], [float(ms) for ms in range(51, 101)]


def test_what_two_saw_is_one_result() -> None:
    start = At()
    result = shared([Stub(1, FAST), Stub(2, SLOW)], start).result()
    assert (result.scheduled, result.ok) == (100, 100)
    assert (result.ladder_ms["50"], result.ladder_ms["100"]) == (50.5, 100.0)
    assert [(share.name, share.host, share.cpus) for share in result.generators] == [
        ("generator 1", "load-1", 3),
        ("generator 2", "load-1", 3),
    ]
    assert start.closed


def test_a_request_that_has_no_line_is_missed_unless_the_end_may_have_come_between() -> None:
    assert shared([Stub(1, FAST), Stub(2, SLOW, missing_lines=1)], At()).result().ok == 100
    with pytest.raises(LabError, match="generator 2 told of 48 good answers one by one, and counted 50"):
        shared([Stub(1, FAST), Stub(2, SLOW, missing_lines=2)], At()).result()


def test_one_that_fails_is_named_and_all_are_stopped() -> None:
    hands = [Stub(1, FAST), Stub(2, SLOW, trouble="broke")]
    with pytest.raises(LabError, match="generator 2 broke, before the start"):
        shared(hands, At(2)).result()
    assert all(hand.stopped for hand in hands)
    with pytest.raises(LabError, match=r"generator 2 broke, \d+\.\d s after the start"):
        shared(hands, At()).result()


def test_those_who_do_not_come_to_the_start_are_named() -> None:
    hands = [Stub(1, FAST), Stub(2, SLOW)]
    load = shared(hands, At(2), patience_s=-1.0)
    assert load.poll()
    with pytest.raises(LabError, match="generator 2 did not come to the start in time"):
        load.result()


def test_requests_are_kept_only_where_there_is_room(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="Cannot write requests to"):
        shared([Stub(1, FAST), Stub(2, SLOW)], At(), kept_in=tmp_path / "no" / "folder" / "x.csv.gz").result()
