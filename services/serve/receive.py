"""Reading an answer to its end, with a limit on the time and the bytes of all of it."""

from __future__ import annotations

import socket
import time

MOST_BYTES = 4 << 20


def receive_all(connection: socket.socket, within_s: float) -> bytes:
    """What the other side sends until it closes. Raises OSError (TimeoutError where it drips on) and ValueError."""
    deadline = time.monotonic() + within_s
    received = bytearray()
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"not all of it came within {within_s:g} s")
        connection.settimeout(left_s)
        piece = connection.recv(65536)
        if not piece:
            return bytes(received)
        received += piece
        if len(received) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
