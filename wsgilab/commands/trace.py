"""`--debug`: every program that the lab runs and every HTTP call that it makes, as they happen, on standard error."""

from __future__ import annotations

import logging
import sys

LINE = "%(asctime)s.%(msecs)03d %(message)s"


def show() -> None:
    """From now on show what the floors below write to their logs; by itself the lab writes none."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LINE, "%H:%M:%S"))
    logger = logging.getLogger("wsgilab")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
