"""The one HTTP client: what a proxy, a slow, a large and a silent server do to it."""

from __future__ import annotations

import logging
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hostile import endless, hostile

from wsgilab.machine.http import NoAnswer, TooLarge, ask
from wsgilab.machine.ports import free_ports


@contextmanager
def answering(*pieces: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server for one request, which sends these pieces one after the other. Gives (its URL, the requests)."""
    over, requests = threading.Event(), list[bytes]()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(BrokenPipeError, ConnectionResetError):  # its client may have had enough
            requests.append(connection.recv(65536))
            for piece in pieces:
                connection.sendall(piece)
                over.wait(0.05 if len(pieces) > 1 else 0)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
        finally:
            over.set()
            thread.join()


def test_status_headers_and_body_come_back_whatever_the_status() -> None:
    with answering(b"HTTP/1.1 503 No\r\nX-Lab-Server: dev\r\nContent-Length: 5\r\n\r\nnot y") as (url, requests):
        answer = ask(url + "/health?deep=1")
    assert (answer.status, answer.ok, answer.text) == (503, False, "not y")
    assert answer.headers.get("x-lab-server") == "dev"
    assert requests[0].startswith(b"GET /health?deep=1 HTTP/1.1\r\n")


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    (closed,) = free_ports(1)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed}")
    with answering(b"HTTP/1.1 204 Done\r\n\r\n") as (url, requests):
        assert ask(url, data=b"abc").status == 204
    assert requests[0].startswith(b"POST / HTTP/1.1\r\n")
    assert b"Content-Length: 3\r\n" in requests[0]


def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="refused"):
        ask(f"http://127.0.0.1:{free_ports(1)[0]}/")


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/", "http://[x/", "http:///nowhere", "ftp:nothing"])
def test_what_is_no_address_is_no_answer(url: str) -> None:
    with pytest.raises(NoAnswer):
        ask(url)


def test_the_time_limit_is_for_the_whole_answer_not_for_each_byte_of_it() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with answering(head, *[b"x"] * 1000) as (url, _), pytest.raises(NoAnswer, match="timed out"):
        ask(url, timeout_s=0.5)
    with answering(*[bytes([byte]) for byte in head]) as (url, _), pytest.raises(NoAnswer, match="timed out"):
        ask(url, timeout_s=0.5)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, "larger than 0.001 MB"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nshort", "IncompleteRead"),
        (b"SSH-2.0-OpenSSH\r\n", "SSH"),
        (b"", "."),
    ],
)
def test_an_answer_too_large_cut_off_or_in_another_language_is_none(sent: bytes, reason: str) -> None:
    with answering(sent) as (url, _), pytest.raises(NoAnswer, match=reason):
        ask(url, most_bytes=1000)


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffff\r\n",
    ],
    ids=["no length", "a huge length", "a huge chunk"],
)
def test_of_an_answer_without_end_no_more_is_read_than_is_wanted(first: bytes) -> None:
    with hostile(endless(first)) as server, pytest.raises(TooLarge, match=r"larger than 0\.001 MB"):
        ask(server.url, most_bytes=1000)


def test_a_chunk_of_negative_length_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        with (
            hostile(endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")) as server,
            pytest.raises(NoAnswer),
        ):
            ask(server.url, timeout_s=1.0, most_bytes=1000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    with answering(b"HTTP/1.0 200 OK\r\n\r\nhello") as (url, _):
        assert ask(url).body == b"hello"


def test_each_call_is_logged_without_a_password_of_its_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wsgilab.machine.http")
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (url, requests):
        ask(url.replace("//", "//ann:s3cret@"))
    assert b"Authorization: Basic YW5uOnMzY3JldA==\r\n" in requests[0]
    (line,) = caplog.messages
    assert line.startswith(f"GET {url}: 200, 2 bytes, ")
