"""nginx's stub_status page (ngx_http_stub_status_module)."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

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
        """Raise OSError (no answer) or ValueError (some other page)."""
        # Not urllib: it looks for proxies and handlers each time, which costs more than asking.
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", self._url.path)
            return parse(connection.getresponse().read().decode())
        except http.client.HTTPException as error:
            raise ValueError(f"not HTTP: {error!r}") from error
        finally:
            connection.close()


def parse(text: str) -> Connections:
    """`Active connections: 1`, a line of titles, `accepts handled requests` as numbers, and more."""
    lines = text.splitlines()
    if len(lines) < 3 or not lines[0].startswith("Active connections:"):
        raise ValueError(f"not a stub_status page: {text[:40]!r}")
    accepted, handled, requests = map(int, lines[2].split())
    return Connections(int(lines[0].split(":")[1]), accepted, handled, requests)
