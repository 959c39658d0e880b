"""Ctrl-C, Ctrl-\\, `kill` and a closed terminal, as a request that every wait of a measurement answers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from wsgilab.machine.waiting import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """A Stop that SIGINT, SIGQUIT (Ctrl-\\), SIGTERM and SIGHUP (a closed terminal) request while the block lasts.

    A handler that raised could strike between starting a process and remembering it; a request is taken up at the
    next `check` or `wait`, so nothing is left behind.
    """
    stop = Stop()
    previous = {}
    for number in SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup: to outlive the terminal is what was asked for
        previous[number] = signal.signal(number, lambda _number, _frame: stop.request())
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Have SIGTERM, SIGQUIT and SIGHUP raise KeyboardInterrupt, as Ctrl-C does, while the block lasts.

    For work that leaves nothing running: what is half made is removed on the way out.
    """
    previous = {}
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            previous[number] = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
