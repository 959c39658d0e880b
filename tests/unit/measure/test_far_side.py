"""What the lab's container on another machine answers: what is asked there is asked of that machine's own addresses."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest

from wsgilab.measure import far_side
from wsgilab.measure.far_side import FarSide, asked
from wsgilab.model import far
from wsgilab.model.far import Answer, Question


class Exporter(BaseHTTPRequestHandler):
    """Answers every path with that path."""

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        for name, value in {"X-Lab-Run": "4f2a", "Set-Cookie": "no=1", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def exporter() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Exporter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_address_is_asked_and_answered_with_what_the_lab_looks_at() -> None:
    with exporter() as url:
        answer = asked(Question(3, f"{url}/metrics", 2.0))
    assert answer == Answer(3, 200, {"X-Lab-Run": "4f2a"}, b"/metrics")


def test_where_nobody_answers_it_says_why() -> None:
    answer = asked(Question(3, "http://127.0.0.1:1/metrics", 2.0))
    assert (answer.number, answer.status) == (3, 0)
    assert "refused" in answer.trouble


def test_questions_are_answered_until_nobody_speaks_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_side, "find_k6", lambda: "k6")
    monkeypatch.setattr(far_side, "version_of_k6", lambda _k6: "k6 v2.3.0")
    words: queue.Queue[str | None] = queue.Queue()
    said: queue.Queue[str] = queue.Queue()
    with exporter() as url:
        for number in (1, 2):
            words.put(far.line(far.ASK, Question(number, f"{url}/{number}", 2.0)))
        side = threading.Thread(target=FarSide(words, said.put).attend, daemon=True)
        side.start()
        kinds = [far.split(said.get(timeout=20)) for _ in range(3)]
        words.put(None)
        side.join(timeout=20)
    assert not side.is_alive()
    assert kinds[0][0] == far.HELLO
    answers = [msgspec.json.decode(content, type=Answer) for kind, content in kinds[1:]]
    assert {answer.number: answer.body for answer in answers} == {1: b"/1", 2: b"/2"}
