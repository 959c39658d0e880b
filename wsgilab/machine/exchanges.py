"""One HTTP exchange watched as it happens: when each end of the answer came, and what cut it off.

`machine.http` gives whole answers or none. Here half an answer, and one that came before it was asked for, is what
there is to see.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from wsgilab.machine.http import PIECE_BYTES

EARLY_S = 0.3
"""For how long half of a body is held back: an app that does not want it answers meanwhile."""
MOST_BYTES = 8_000_000


@dataclass(frozen=True)
class Outgoing:
    """What is sent."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Incoming:
    """What came back. Times are those of the monotonic clock."""

    status: int | None = None
    """None: no whole answer."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    sent_at: float = 0.0
    first_at: float = 0.0
    """When the first byte of the body came; of an empty one, the end of the headers."""
    last_at: float = 0.0
    early: bool = False
    """Whether it began to come while half of the body was still held back."""
    error: str = ""


def exchange(url: str, outgoing: Outgoing, timeout_s: float) -> Incoming:
    """Send a request over a connection of its own, and read the answer, in whatever pieces it comes."""
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=timeout_s)
    with contextlib.closing(connection):
        sent_at = time.monotonic()
        try:
            early, trouble = _send(connection, outgoing)
            return _read(connection, Incoming(sent_at=sent_at, early=early, error=trouble), sent_at + timeout_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Incoming(sent_at=sent_at, last_at=time.monotonic(), error=_in_words(error))


def _send(connection: http.client.HTTPConnection, outgoing: Outgoing) -> tuple[bool, str]:
    """(whether an answer came before the whole body was sent, what cut the body off)."""
    connection.putrequest(outgoing.method, outgoing.path, skip_accept_encoding=True)
    body = outgoing.body
    length = {} if body is None else {"Content-Length": str(len(body))}
    for name, value in {**outgoing.headers, **length, "Connection": "close"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    if not body:
        return False, ""
    connection.send(body[: len(body) // 2])
    early = bool(select.select([connection.sock], [], [], EARLY_S)[0])
    try:
        connection.send(body[len(body) // 2 :])
    except OSError as error:  # there may be an answer to read all the same
        return early, _in_words(error)
    return early, ""


def _read(connection: http.client.HTTPConnection, so_far: Incoming, deadline: float) -> Incoming:
    with connection.getresponse() as response:
        first_at = None
        body = bytearray()
        while piece := response.read1(PIECE_BYTES):
            first_at = first_at or time.monotonic()
            body += piece
            if len(body) > MOST_BYTES or time.monotonic() > deadline:
                raise ValueError("an answer without an end")
        if response.length:  # read1 does not complain of a body that ends too early
            raise http.client.IncompleteRead(bytes(body), response.length)
        last_at = time.monotonic()
        headers = tuple((name.lower(), value) for name, value in response.getheaders())
        return Incoming(
            response.status,
            headers,
            bytes(body),
            so_far.sent_at,
            first_at or last_at,
            last_at,
            so_far.early,
            so_far.error,
        )


def _in_words(error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError):
        return "the connection was closed"
    return (str(error) or type(error).__name__).lower()
