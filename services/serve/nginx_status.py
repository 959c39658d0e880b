"""nginx's stub_status page (ngx_http_stub_status_module)."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from receive import receive_all

_TIMEOUT_S = 0.5


@dataclass(frozen=True)
class Connections:
    """Connections of clients that are open now (`active`); all else is counted since nginx started."""

    active: int
    accepted: int
    handled: int
    requests: int


class NginxStatus:
    """The page at one address."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def read(self) -> Connections:
        """What the page says. Raises OSError (no answer, or not all of it in time) or ValueError (some other page)."""
        host, port = self._url.hostname or "", self._url.port or 80
        # Not http.client: its timeout is for each read, and a page that drips would hold up every scrape.
        request = f"GET {self._url.path} HTTP/1.0\r\nHost: {self._url.netloc}\r\n\r\n"
        with socket.create_connection((host, port), _TIMEOUT_S) as connection:
            connection.sendall(request.encode())
            answer = receive_all(connection, _TIMEOUT_S)
        return parse(answer.partition(b"\r\n\r\n")[2].decode())


def parse(text: str) -> Connections:
    """`Active connections: 1`, a line of titles, `accepts handled requests` as numbers, and more."""
    lines = text.splitlines()
    if len(lines) < 3 or not lines[0].startswith("Active connections:"):
        raise ValueError(f"not a stub_status page: {text[:40]!r}")
    accepted, handled, requests = map(int, lines[2].split())
    return Connections(int(lines[0].split(":")[1]), accepted, handled, requests)
