"""Server-sent events: each reader holds a thread of the server, so there are only so many seats."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

SEATS = 8
"""Readers at a time. Who gets none asks every few seconds instead; a tab that nobody looks at gives its seat back."""
EVERY_S = 1.0
LONGEST_S = 600.0
"""Then the reader comes back by itself, if it is still there: nobody holds a seat for ever."""
SILENCE_S = 15.0
"""After which something is sent though nothing has changed: whatever stands between may hang up otherwise."""


class Seats:
    """The readers who are told what changes."""

    def __init__(self, seats: int = SEATS, every_s: float = EVERY_S) -> None:
        self._free = threading.BoundedSemaphore(seats)
        self._every_s = every_s
        self._over = threading.Event()

    def take(self, text: Callable[[], str], gone: Callable[[], bool]) -> Stream | None:
        """A seat for one reader of this text; None where all are taken. `gone`: whether the reader has left."""
        if self._over.is_set() or not self._free.acquire(blocking=False):
            return None
        return Stream(self._events(text, gone), self._free.release)

    def close(self) -> None:
        """Send everybody home."""
        self._over.set()

    def _events(self, text: Callable[[], str], gone: Callable[[], bool]) -> Iterator[bytes]:
        until, sent, sent_at = time.monotonic() + LONGEST_S, "", time.monotonic()
        while not gone() and time.monotonic() < until:
            newest = text()
            if newest != sent:
                sent, sent_at = newest, time.monotonic()
                yield event(newest)
            elif time.monotonic() - sent_at >= SILENCE_S:
                sent_at = time.monotonic()
                yield b": still here\n\n"
            if self._over.wait(self._every_s):
                return


class Stream:
    """One reader's events, as WSGI takes them: `close` is called however the reader leaves, even before the first."""

    def __init__(self, events: Iterator[bytes], leave: Callable[[], None]) -> None:
        self._events = events
        self._leave: Callable[[], None] | None = leave

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        """Free the seat, once."""
        leave, self._leave = self._leave, None
        if leave:
            leave()


def event(text: str) -> bytes:
    """A message of several lines. https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    return "".join(f"data: {line}\n" for line in text.splitlines()).encode() + b"\n"
