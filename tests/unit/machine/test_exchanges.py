"""An exchange is seen as it happens: halves of bodies, answers that come early, connections that end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wsgilab.machine.exchanges import Outgoing, exchange

POST = Outgoing("POST", "/photo", {"X-Mine": "1"}, b"0123456789")


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server of one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def once() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=once)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def read_until(connection: socket.socket, end: bytes) -> bytes:
    text = b""
    while not text.endswith(end):
        text += connection.recv(1)
    return text


def test_a_whole_answer_comes_with_its_headers() -> None:
    asked = []

    def serve(connection: socket.socket) -> None:
        asked.append(read_until(connection, b"0123456789"))
        connection.sendall(b"HTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok")

    with serving(serve) as url:
        found = exchange(url, POST, 10)
    assert (found.status, found.body, found.early, found.error) == (201, b"ok", False, "")
    assert found.headers == (("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-length", "2"))
    assert found.sent_at <= found.first_at <= found.last_at
    assert asked[0].startswith(b"POST /photo HTTP/1.1\r\n")
    assert b"\r\nX-Mine: 1\r\nContent-Length: 10\r\nConnection: close\r\n" in asked[0]


def test_an_answer_before_the_body_is_early() -> None:
    def serve(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n01234")
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        read_until(connection, b"9")

    with serving(serve) as url:
        found = exchange(url, POST, 10)
    assert (found.status, found.early) == (413, True)


def test_pieces_come_one_by_one() -> None:
    go_on = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        go_on.wait(0.2)
        connection.sendall(b"1\r\nc\r\n0\r\n\r\n")

    with serving(serve) as url:
        found = exchange(url, Outgoing("GET", "/"), 10)
    assert found.body == b"abc"
    assert found.first_at < found.last_at


def test_a_connection_that_ends_is_told() -> None:
    def closes(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")

    def breaks_off(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    with serving(closes) as url:
        found = exchange(url, Outgoing("GET", "/"), 10)
    assert (found.status, found.error) == (None, "the connection was closed")
    with serving(breaks_off) as url:
        found = exchange(url, Outgoing("GET", "/"), 10)
    assert found.status is None
    assert "incompleteread" in found.error


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "refused" in exchange(f"http://127.0.0.1:{port}", Outgoing("GET", "/"), 10).error
