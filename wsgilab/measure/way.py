"""Whether load hosts still reach the servers' machine while they send: a cut link is no server's failure.

The runner, or its container next to servers that are elsewhere, listens on the servers' address and answers nothing;
each load host opens a connection now and then. The kernel takes it, however busy the machine is, and no server knows.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

TIMEOUT_S = 1.0
TRIES = 2
"""Connections in a row that may fail."""


class Listener:
    """Takes connections on a port of an address while its block lasts, and closes them."""

    def __init__(self, address: str, port: int = 0) -> None:
        """`port`: 0 for any. Raises OSError for an address that is not of this machine."""
        self._door = socket.create_server((address, port), backlog=128)
        self._thread = threading.Thread(target=self._take, daemon=True)

    @property
    def at(self) -> str:
        """`ADDRESS:PORT`"""
        address, port = self._door.getsockname()
        return f"{address}:{port}"

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # which ends the wait for the next one
        self._door.close()
        self._thread.join()

    def _take(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                self._door.accept()[0].close()


class Way:
    """The way to a Listener, as a load host sees it."""

    def __init__(self, at: str) -> None:
        address, _, port = at.rpartition(":")
        self._at = (address, int(port))
        self._failed = 0
        self.trouble = ""
        """What the last connection failed with; empty where it did not."""

    def is_cut(self) -> bool:
        """Try once more. Whether it has failed several times in a row."""
        try:
            socket.create_connection(self._at, TIMEOUT_S).close()
        except OSError as error:
            self._failed, self.trouble = self._failed + 1, str(error)
        else:
            self._failed, self.trouble = 0, ""
        return self._failed >= TRIES
