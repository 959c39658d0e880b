"""Waiting that can be interrupted: for a condition, for a while, never blindly."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType

from wsgilab.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Stop:
    """Turns SIGINT, SIGQUIT (Ctrl-\\), SIGTERM and SIGHUP (a closed terminal) into a request that every wait answers.

    A handler that raised could strike between starting a process and remembering it; a request is taken up at the
    next `check` or `wait`, so nothing is left behind.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._previous: dict[int, signal.Handlers | Callable[..., object] | int | None] = {}

    def __enter__(self) -> Stop:
        for number in SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup: to outlive the terminal is what was asked for
            self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether a signal has arrived."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Interrupted when a signal has arrived."""
        if self.requested:
            raise Interrupted

    def wait(self, seconds: float) -> None:
        """Wait that long. Raises Interrupted as soon as a signal arrives."""
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
