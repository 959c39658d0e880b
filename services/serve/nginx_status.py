"""nginx's stub_status page (ngx_http_stub_status_module)."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass

_TIMEOUT_S = 0.5


@dataclass(frozen=True)
class Connections:
    active: int
    accepted: int
    handled: int
    requests: int


class NginxStatus:
    def __init__(self, url: str) -> None:
        self.url = url
        # Never through a proxy that the environment may name for everything else.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def read(self) -> Connections:
        """Raise OSError (no answer) or ValueError (some other page)."""
        with self._open(self.url, timeout=_TIMEOUT_S) as response:
            return parse(response.read().decode())


def parse(text: str) -> Connections:
    """`Active connections: 1`, a line of titles, `accepts handled requests` as numbers, and more."""
    lines = text.splitlines()
    if len(lines) < 3 or not lines[0].startswith("Active connections:"):
        raise ValueError(f"not a stub_status page: {text[:40]!r}")
    accepted, handled, requests = map(int, lines[2].split())
    return Connections(int(lines[0].split(":")[1]), accepted, handled, requests)
