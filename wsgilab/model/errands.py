"""What a runner inside the Compose network asks of the host, which alone may speak to Docker. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class What(StrEnum):
    """All that can be asked."""

    RESTART = "restart"
    """Start a server's container anew."""
    LOG = "log"
    """The last lines that a server wrote."""
    RESET = "reset"
    """Have a server's app find what its first window found, by its own command."""
    SERVICES = "services"
    """Which of the app's services has ended. It is for no server."""
    ENDED = "ended"
    """How a server's container ended."""


@dataclass(frozen=True)
class Errand:
    """What is to be done, for which server."""

    what: What
    server: str = ""


@dataclass(frozen=True)
class Done:
    """What came of it."""

    ok: bool
    text: str = ""
