"""`wsgilab carry-load`, in a container of another machine: drives k6, or asks servers, for the runner here."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

import click

from wsgilab.commands.grammar import Command
from wsgilab.errors import EXIT_DONE
from wsgilab.measure.far_side import FarSide, listening, speaking

LOST_S = 30
"""Without a word for so long, the kernel ends this process, and the container with it: it may hang in a write to a
link that was cut."""


@click.command(cls=Command, name="carry-load", example="echo 'ping 0' | ./lab carry-load")
def command() -> int:
    """Drive k6, or ask servers, for the runner on the other end of standard input and output.

    What ./lab runs on other machines; it is not for people.
    """
    words = listening(sys.stdin, lambda: signal.alarm(LOST_S))
    with suppress(BrokenPipeError):  # whoever was to hear it has gone
        FarSide(words, speaking(sys.stdout)).attend()
    return EXIT_DONE
