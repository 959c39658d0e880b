"""The pictures of docs/devtools.md, and the parts of the script that takes them: each of them can fail."""

from __future__ import annotations

import http.server
import re
import socket
import sys
import threading
from collections.abc import Iterator

import pytest
from support import ROOT

IMAGES = ROOT / "docs/images"
sys.path.append(str(IMAGES))

import crowd  # noqa: E402
import readings  # noqa: E402
from readings import CONNECTING, WAITING, NotTaken, Row  # noqa: E402

PAGE = (ROOT / "docs/devtools.md").read_text(encoding="utf-8")
SCENES = re.findall(r'^    "(devtools-[\w-]+)": Scene', (IMAGES / "devtools.py").read_text(), re.MULTILINE)
SHOWN = re.findall(r"^!\[([^\]]+)\]\(images/(devtools-[\w-]+)\.png\)\n\n(.*)", PAGE, re.MULTILINE)
WIDTHS = range(1_000, 1_800)
"""In pixels, of which two make one of the page: letters are sharp, and none is smaller than the text around."""


def test_every_picture_that_the_script_takes_is_there_and_shown_once_and_no_other() -> None:
    assert SCENES
    assert sorted(name for _, name, _ in SHOWN) == sorted(SCENES)
    assert sorted(path.stem for path in IMAGES.glob("devtools-*.png")) == sorted(SCENES)


@pytest.mark.parametrize("name", SCENES)
def test_a_picture_is_small_and_sharp(name: str) -> None:
    width, height = readings.require_picture((IMAGES / f"{name}.png").read_bytes())
    assert width in WIDTHS
    assert height < width


@pytest.mark.parametrize(("alt", "name", "caption"), SHOWN)
def test_a_picture_is_told_in_words_and_says_what_to_look_for(alt: str, name: str, caption: str) -> None:
    assert 60 <= len(alt) <= 250
    assert re.match(r"\*(Look at|Count) [^*]+\.\*", caption), name


def test_each_kind_of_server_is_shown_and_both_panels() -> None:
    for server in ("dev-single", "dev", "gunicorn", "uwsgi"):
        assert any(name.endswith(f"-{server}") for name in SCENES)
    for panel in ("twelve", "clicks"):
        assert sum(f"-{panel}-" in name for name in SCENES) > 1


# ── what a panel says ───────────────────────────────────────────────────────────────────────────────────────────────

LINES = [
    ("Queued at 0\xa0μs", "Queued at 0\xa0μs"),
    ("Resource scheduling", "DURATION"),
    ("Queueing", "5.66\xa0ms"),
    ("Initial connection", "1.02\xa0s"),
    ("Request sent", "64\xa0μs"),
    ("Waiting for server response", "7,570.5\xa0ms"),
    ("Explanation", "8.6\xa0s"),
]


def test_phases_are_read_in_milliseconds_whatever_their_unit() -> None:
    expected = {"Queueing": 5.66, "Initial connection": 1020.0, "Request sent": 0.064, WAITING: 7570.5}
    assert readings.phases(LINES) == pytest.approx(expected)


def test_a_duration_that_is_none_is_refused() -> None:
    with pytest.raises(NotTaken, match=r"'\(pending\)' has no duration"):
        readings.milliseconds("(pending)")


def test_clicks_are_read_by_their_button() -> None:
    lines = [
        "pointer INP  button #blocking  1,272 ms",
        "pointer button#feedback-first 16\xa0ms",
        "keyboard input 8 ms",
        "",
    ]
    assert readings.felt(lines) == {"blocking": 1272.0, "feedback-first": 16.0}


def test_a_picture_of_a_wait_that_was_none_is_refused() -> None:
    found = {WAITING: 79.0, "Queueing": 21.0}
    with pytest.raises(NotTaken, match="is not 80% of 100 ms"):
        readings.require_share(found, WAITING, 0.8)
    readings.require_share({**found, "Queueing": 1.0}, WAITING, 0.8)
    for outside in ({}, {CONNECTING: 899.0}, {CONNECTING: 4000.0}):
        with pytest.raises(NotTaken, match="not between 900 and 3500 ms"):
            readings.require_between(outside, CONNECTING, 900, 3500)
    readings.require_between({CONNECTING: 1020.0}, CONNECTING, 900, 3500)


def test_a_picture_of_other_turns_or_connections_is_refused() -> None:
    rows = [Row(f"io?n={number}", str(number % 6), 300.0 * (1 + number // 4)) for number in range(12)]
    readings.require_turns(rows, 300.0, at_once=4, connections=6)
    for at_once, connections in ((6, 6), (4, 12)):
        with pytest.raises(NotTaken, match="4 at once and 6 connections"):
            readings.require_turns(rows, 300.0, at_once, connections)


def test_a_file_that_is_no_picture_or_a_large_one_is_refused() -> None:
    with pytest.raises(NotTaken, match="no PNG"):
        readings.require_picture(b"GIF89a")
    with pytest.raises(NotTaken, match="80,001 bytes"):
        readings.require_picture(readings.PNG.ljust(80_001, b"\0"))


# ── who else asks ───────────────────────────────────────────────────────────────────────────────────────────────────


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/mix" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that answers `/mix`, and refuses the rest."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_visitors_come_back_until_the_picture_is_taken(port: int) -> None:
    with crowd.visitors(port, "/mix", count=3, pause_s=0.01):
        pass


def test_visitors_who_are_refused_spoil_the_picture(port: int) -> None:
    with pytest.raises(NotTaken, match="HTTP 503"), crowd.visitors(port, "/elsewhere", count=3, pause_s=0.01):
        pass


def test_a_queue_is_full_when_a_connection_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "TAKEN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=4) as nobody:
        with crowd.full_queue(nobody.getsockname()[1], "/io") as taken:
            assert taken <= 5
        monkeypatch.setattr(crowd, "MOST_CONNECTIONS", 0)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=4) as nobody,
        pytest.raises(NotTaken, match="is not full"),
        crowd.full_queue(nobody.getsockname()[1], "/io"),
    ):
        pass
