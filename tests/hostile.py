"""A server that answers whatever a test wants, byte by byte, to whoever asks."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Exchange:
    """One request: what it asked for, where its answer goes, and whether the test is over."""

    target: str
    send: Callable[[bytes], None]
    over: threading.Event


Answer = Callable[[Exchange], None]
"""Writes an answer. Raising an OSError closes the connection."""


@dataclass
class Hostile:
    """One such server. `answer` may be changed at any time."""

    answer: Answer
    url: str
    asked: list[str] = field(default_factory=list)
    """The target of each request so far."""
    over: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def hostile(answer: Answer) -> Iterator[Hostile]:
    """A server, in threads, until the block is left."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = Hostile(answer, f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=_accept, args=(listener, server), daemon=True).start()
        try:
            yield server
        finally:
            server.over.set()
            listener.shutdown(socket.SHUT_RDWR)


def ok(content: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A well-formed answer."""
    return b"\r\n".join((b"HTTP/1.1 " + status, b"Content-Length: %d" % len(content), *headers, b"", content))


def always(data: bytes) -> Answer:
    """Those bytes, whatever is asked."""
    return lambda exchange: exchange.send(data)


def dripping(first: bytes) -> Answer:
    """`first`, and then a byte every 20 ms for ever."""

    def answer(exchange: Exchange) -> None:
        exchange.send(first)
        while not exchange.over.wait(0.02):
            exchange.send(b" ")

    return answer


def endless(first: bytes, piece: bytes = b" " * 65536) -> Answer:
    """`first`, and then as much as the reader takes, for ever."""

    def answer(exchange: Exchange) -> None:
        exchange.send(first)
        while True:
            exchange.send(piece)

    return answer


def _accept(listener: socket.socket, server: Hostile) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, server), daemon=True).start()


def _serve(connection: socket.socket, server: Hostile) -> None:
    with connection, connection.makefile("rb") as lines, contextlib.suppress(OSError):
        while not server.over.is_set() and (first := lines.readline()):
            while lines.readline().strip():
                pass
            target = first.split(b" ")[1].decode()
            server.asked.append(target)
            server.answer(Exchange(target, connection.sendall, server.over))
