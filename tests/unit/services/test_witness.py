"""The witness changes nothing of an answer but one header, whatever way an app has of giving it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import witness
from flask import Flask

from wsgilab.measure import asking
from wsgilab.model.checkup import Statement

Wsgi = Any
IMPORTED = {"process": 1, "took_s": 0.1, "threads": [], "threads_after_fork": None}


def returns(environ: Any, start_response: Any) -> list[bytes]:
    start_response("201 Created", [("Content-Type", "text/plain")])
    return [b"ab", b"c"]


def generates(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("201 Created", [("Content-Type", "text/plain")])
    yield b"ab"
    yield b"c"


def writes(environ: Any, start_response: Any) -> list[bytes]:
    write = start_response("201 Created", [("Content-Type", "text/plain")])
    write(b"ab")
    return [b"c"]


def changes_its_mind(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/html")])
    try:
        raise ValueError
    except ValueError as error:
        start_response("201 Created", [("Content-Type", "text/plain")], (ValueError, error, error.__traceback__))
    return [b"abc"]


def ask(app: Wsgi, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    said: list[Any] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        said[:] = [status, dict(headers)]
        return written.append

    body = witness.Witness(app, app, IMPORTED)({"PATH_INFO": "/", **environ}, start_response)
    pieces = list(body)
    return said[0], said[1], b"".join([*written, *pieces])


@pytest.mark.parametrize("app", [returns, generates, writes, changes_its_mind])
def test_status_headers_and_body_are_the_apps_and_the_statement_is_what_the_doctor_reads(app: Wsgi) -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "wsgi.multithread": True, "HTTP_X_FORWARDED_FOR": "203.0.113.7"}
    status, headers, body = ask(app, **environ)
    told = msgspec.json.decode(headers.pop(witness.HEADER), type=Statement)
    assert (status, headers, body) == ("201 Created", {"Content-Type": "text/plain"}, b"abc")
    assert (told.client, told.forwarded_for, told.threaded, told.processes) == (
        "127.0.0.1",
        "203.0.113.7",
        True,
        False,
    )
    assert told.began_at <= told.answered_at
    assert (witness.HEADER.lower(), witness.ROUTES) == (asking.WITNESS, asking.ROUTES)


def test_a_body_is_closed_and_an_app_that_fails_fails() -> None:
    closed = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            start("200 OK", [])
            yield b"x"

        def close(self) -> None:
            closed.append(True)

    start: Any = None

    def app(environ: Any, start_response: Any) -> Body:
        nonlocal start
        start = start_response
        return Body()

    assert ask(app)[2] == b"x"
    assert closed == [True]

    def fails(environ: Any, start_response: Any) -> list[bytes]:
        raise RuntimeError("as asked")

    with pytest.raises(RuntimeError, match="as asked"):
        ask(fails)


def test_the_routes_of_the_app_can_be_asked_for() -> None:
    app = Flask("shop")
    app.add_url_rule("/items/<int:item>", view_func=str)
    _, _, body = ask(app, PATH_INFO=witness.ROUTES)
    assert json.loads(body) == [
        {"rule": "/items/<int:item>", "methods": ["GET", "HEAD", "OPTIONS"], "converters": {"item": "int"}}
    ]


def test_a_thread_of_the_app_is_told_with_what_a_fork_makes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_patched", lambda: False)  # other tests may have imported gevent
    end = threading.Event()
    importing = witness.Importing()
    threading.Thread(target=end.wait, name="poller").start()
    try:
        told = importing.done()
    finally:
        end.set()
    assert (told["threads"], told["threads_after_fork"]) == (["poller"], [])
    assert witness.Importing().done()["threads_after_fork"] is None, "nothing is tried without threads"
