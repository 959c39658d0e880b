"""What the runner pushes to Prometheus: its bytes, its figures, and that no Prometheus can fail a run."""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from factories import inside_of, window
from support import ROOT, wait_for

from wsgilab.lab.servers import load_lab
from wsgilab.measure.remote_write import LONGEST_LITERAL, STALE, Series, encode, snappy
from wsgilab.measure.telemetry import Telemetry
from wsgilab.measure.vital_telemetry import FELT, series_of
from wsgilab.model.vitals import Block, BlockPlan, Click, PageLoad


@dataclass
class K6:
    """What a k6 has used so far."""

    cpu_s: float
    wait_s: float = 0.0


class Receiver(ThreadingHTTPServer):
    """Refuses the first so many pushes as a full disk does, takes the others, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        refused = len(self.server.bodies) <= self.server.refusals
        self.send_response(500 if refused else 204)
        self.end_headers()
        self.wfile.write(b"no space left on device" if refused else b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    """One that takes everything, or refuses as many as a test asks for."""
    with Receiver(getattr(request, "param", 0)) as it:
        thread = threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield it
        it.shutdown()
        thread.join()


def telemetry(url: str | None) -> Telemetry:
    return Telemetry(url, load_lab(ROOT, {}).select(["gunicorn", "dev"]), 2, {0}, every_s=0.01)


def told(it: Telemetry) -> dict[str, float]:
    return {" ".join([one.name, *one.labels.values()]): one.value for one in it.series()}


def test_a_message_is_what_the_specification_says() -> None:
    label = b"\x0a\x0d" + b"\x0a\x08__name__" + b"\x12\x01m" + b"\x0a\x06" + b"\x0a\x01a" + b"\x12\x01b"
    sample = b"\x12\x0c" + b"\x09" + struct.pack("<d", 1.5) + b"\x10\xac\x02"
    message = encode([Series("m", 1.5, {"a": "b"})], at_ms=300)
    assert message == b"\x0a" + bytes([len(label + sample)]) + label + sample


@pytest.mark.parametrize("length", [0, 1, 300, LONGEST_LITERAL, LONGEST_LITERAL + 1])
def test_what_is_compressed_can_be_unpacked(length: int) -> None:
    data = bytes(index % 251 for index in range(length))
    assert unpacked(snappy(data)) == data


def unpacked(block: bytes) -> bytes:
    """A decoder after Google's description, of the one kind of element that is used."""
    size = shift = at = 0
    while True:
        size |= (block[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if block[at - 1] < 0x80:
            break
    data = b""
    while at < len(block):
        assert block[at] == 61 << 2, "a literal whose length less one stands in two bytes"
        length = int.from_bytes(block[at + 1 : at + 3], "little") + 1
        data += block[at + 3 : at + 3 + length]
        at += 3 + length
    assert len(data) == size
    return data


def test_the_end_of_a_series_has_the_bits_that_prometheus_knows() -> None:
    assert math.isnan(STALE)
    assert struct.pack("<d", STALE) == (0x7FF0000000000002).to_bytes(8, "little")


def test_the_cpu_of_every_k6_adds_up_and_windows_are_counted_by_what_became_of_them() -> None:
    it = telemetry(None)
    first, second = K6(1.0, 0.5), K6(0.0)
    it.follow(first)
    it.follow(second)
    second.cpu_s = 0.25
    good = window("gunicorn")
    for one in (good, replace(good, void="late"), replace(good, died="killed", load=None), good):
        it.count(one)
    assert told(it) == {
        "runner_k6_cpu_seconds_total": 1.25,
        "runner_k6_wait_seconds_total": 0.5,
        "runner_k6_cpus": 1,
        "runner_server_cpus": 2,
        "runner_windows_total valid": 2,
        "runner_windows_total void": 1,
        "runner_windows_total died": 1,
        "runner_server_slots gunicorn": 4,
    }


def test_slots_that_a_window_shows_take_the_place_of_those_declared() -> None:
    it = telemetry(None)
    threads = inside_of(window("gunicorn"), at_once=32, at_once_in_one_process=8)
    it.count(replace(threads, void="late"))
    assert told(it)["runner_server_slots gunicorn"] == 4
    it.count(threads)
    it.count(inside_of(window("dev"), at_once=32))
    assert told(it)["runner_server_slots gunicorn"] == 32
    assert "runner_server_slots dev" not in told(it)


def test_it_is_told_again_and_again_and_ended_with_the_run(receiver: Receiver) -> None:
    with telemetry(receiver.url) as it:
        wait_for(lambda: len(receiver.bodies) >= 3, "three pushes")
    assert it.lost is None
    assert receiver.bodies[-1].count(struct.pack("<d", STALE)) == len(it.series())
    assert struct.pack("<d", STALE) not in receiver.bodies[-2]


@pytest.mark.parametrize("receiver", [3], indirect=True)
def test_what_prometheus_refused_is_said(receiver: Receiver) -> None:
    with telemetry(receiver.url) as it:
        wait_for(lambda: len(receiver.bodies) >= 3, "three pushes")
    assert it.lost
    assert "HTTP 500, no space left on device" in it.lost


@pytest.mark.parametrize("receiver", [2], indirect=True)
def test_two_pushes_that_failed_are_not_worth_a_word(receiver: Receiver) -> None:
    with telemetry(receiver.url) as it:
        wait_for(lambda: len(receiver.bodies) >= 6, "some pushes")
    assert it.lost is None


def test_the_last_push_is_worth_a_word_by_itself(receiver: Receiver) -> None:
    with telemetry(receiver.url) as it:
        wait_for(lambda: receiver.bodies, "the first push")
        receiver.refusals = 1_000_000
    assert it.lost
    assert it.lost.startswith(tuple("123456789"))


def test_without_a_prometheus_nothing_is_sent_or_said() -> None:
    with telemetry(None) as it:
        it.count(window("gunicorn"))
    assert it.lost is None


def test_what_a_browser_felt_is_told_until_a_newer_block_takes_its_place() -> None:
    it = telemetry(None)
    plan = BlockPlan("gunicorn", 100.0, 1, 0, ("blocking",), clicks=1)
    click = Click("blocking", 40.0, 1.0, 44.0, "element", interactions=1)
    block = Block(plan, (click,), (PageLoad(30.0, 90.0, 95.0),))
    it.tell_too(series_of(block))
    it.tell_too(series_of(replace(block, clicks=(replace(click, content_ms=50.0),))))
    it.tell_too(series_of(replace(block, void="hidden")))
    felt = {name: value for name, value in told(it).items() if name.startswith(FELT)}
    assert felt == {
        f"{FELT} gunicorn 100 ttfb": 0.03,
        f"{FELT} gunicorn 100 fcp": 0.09,
        f"{FELT} gunicorn 100 lcp": 0.095,
        f"{FELT} gunicorn 100 inp blocking": 0.04,
        f"{FELT} gunicorn 100 content blocking": 0.05,
    }
