"""What the floors below write to their logs, on standard error: warnings, and with `--debug` each command and call."""

from __future__ import annotations

import logging
import sys

WARNING = "lab: %(message)s"
CALL = "%(asctime)s.%(msecs)03d %(message)s"


def show(*, calls: bool) -> None:
    """From now on show warnings, and `calls` too: every program that is run, every HTTP call, what came of each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(CALL if calls else WARNING, "%H:%M:%S"))
    logger = logging.getLogger("wsgilab")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if calls else logging.WARNING)
