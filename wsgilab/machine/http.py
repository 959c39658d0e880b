"""The one HTTP client of the lab: a time limit on the whole answer, a bound on its size, and never a proxy.

What it asks are the lab's own servers, their exporters and its Prometheus. A proxy that the environment names
(`http_proxy`) is for the world outside: a request for 127.0.0.1 that is sent through it comes to nothing, or to another
machine.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import logging
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, unquote, urlsplit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TIMEOUT_S = 3.0
MOST_BYTES = 32_000_000
PIECE_BYTES = 65536
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Message = field(repr=False)
    """Names in any case."""
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 in it is replaced."""
        return self.body.decode(errors="replace")


class NoAnswer(Exception):
    """Nobody answered in time, or not in HTTP. Its text says why."""


class TooLarge(NoAnswer):
    """Somebody answered, with more than was wanted."""


def ask(
    url: str,
    *,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
    most_bytes: int = MOST_BYTES,
) -> Answer:
    """GET a URL, or POST `data` to it. Raises NoAnswer where no whole answer has come within `timeout_s`."""
    method, started = "GET" if data is None else "POST", time.monotonic()
    try:
        at = urlsplit(url)
        with contextlib.closing(_connection(at, timeout_s)) as connection:
            connection.request(method, _target(at), data, {**credentials(url), **(headers or {})})
            answer = _read(connection, method, started + timeout_s, most_bytes)
    except (OSError, http.client.HTTPException, ValueError, TooLarge) as error:
        reason = str(error) or type(error).__name__
        log.debug("%s %s: no answer after %.0f ms (%s)", method, public(url), _ms_since(started), reason)
        raise (TooLarge if isinstance(error, TooLarge) else NoAnswer)(reason) from error
    took_ms, size = _ms_since(started), len(answer.body)
    log.debug("%s %s: %d, %d bytes, %.0f ms", method, public(url), answer.status, size, took_ms)
    return answer


def public(url: str) -> str:
    """A URL as it may be shown: without the user and the password that it may hold."""
    return re.sub(r"(?<=//)[^/@]*@", "", url)


def credentials(url: str) -> dict[str, str]:
    """The header for the user and the password in a URL, where it has them."""
    at = urlsplit(url)
    if not at.username:
        return {}
    pair = f"{unquote(at.username)}:{unquote(at.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _connection(url: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname or "", url.port, timeout=timeout_s)


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _read(connection: http.client.HTTPConnection, method: str, deadline: float, most_bytes: int) -> Answer:
    source = cast(socket.socket, _UntilDeadline(connection.sock, deadline))
    with http.client.HTTPResponse(source, method=method) as response:
        response.begin()
        body, piece = bytearray(), bytearray(PIECE_BYTES)
        # `read` takes a chunk that says it is -1 bytes long for "all there is", however much that may be.
        while got := response.readinto(piece):
            body += piece[:got]
            if len(body) > most_bytes:
                raise TooLarge(f"its answer is larger than {most_bytes / 1e6:g} MB")
        if response.length:  # readinto does not complain of a body that ends too early
            raise http.client.IncompleteRead(bytes(body), response.length)
        return Answer(response.status, response.headers, bytes(body))


class _UntilDeadline(io.RawIOBase):
    """A socket that gives up at a moment: a time limit for each read is none where a byte comes each second."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._socket = connection
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What HTTPResponse asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left_s)
        return self._socket.recv_into(buffer)


def _ms_since(moment: float) -> float:
    return (time.monotonic() - moment) * 1000
