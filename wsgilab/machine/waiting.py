"""Waiting that can be interrupted: for a condition, for a while, never blindly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from wsgilab.errors import Interrupted


class Stop:
    """A request to end early, which every wait of the runner answers; any thread or signal handler may make it.

    It is taken up at the next `check` or `wait`, so nothing is left behind.
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def request(self) -> None:
        """Ask for the end."""
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether the end was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Interrupted when the end was asked for."""
        if self.requested:
            raise Interrupted

    def wait(self, seconds: float) -> None:
        """Wait that long. Raises Interrupted as soon as the end is asked for."""
        self._event.wait(max(0.0, seconds))
        self.check()


def poll_until(condition: Callable[[], bool], stop: Stop, timeout_s: float, every_s: float = 0.05) -> bool:
    """Ask `condition` until it holds; False when it did not within `timeout_s`. Raises Interrupted."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        stop.wait(every_s)
    return True
