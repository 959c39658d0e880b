"""Asks the service that has the prices, over connections that are kept."""

from __future__ import annotations

from urllib.parse import quote

import urllib3

MOST_CONNECTIONS = 64
"""Kept by each process. More requests than that at once open connections of their own."""


class Unavailable(Exception):
    """The service gave no answer that can be used."""


class TooSlow(Unavailable):
    """It did not answer in time."""


class Upstream:
    """The service behind the gateway. Threads may share it."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(maxsize=MOST_CONNECTIONS, timeout=timeout_s, retries=False)

    def price(self, symbol: str) -> dict[str, object] | None:
        """What the service says of a symbol; None for one that it does not know. Raises Unavailable."""
        try:
            answer = self._pool.request("GET", f"{self._url}/prices/{quote(symbol, safe='')}")
        except urllib3.exceptions.NewConnectionError as error:  # to urllib3, a kind of timeout
            raise Unavailable(str(error)) from error
        except urllib3.exceptions.TimeoutError as error:
            raise TooSlow(str(error)) from error
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(str(error)) from error
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Unavailable(f"HTTP {answer.status}")
        found: dict[str, object] = answer.json()
        return found
