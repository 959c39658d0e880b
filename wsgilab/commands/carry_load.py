"""`wsgilab carry-load`, in a container of a load host: drives k6 for the runner that speaks to it."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

import click

from wsgilab.commands.grammar import Command
from wsgilab.errors import EXIT_DONE
from wsgilab.measure.far_side import FarSide, listening

LOST_S = 30
"""Without a word for so long, the kernel ends this process, and the container with it: it may hang in a write to a
link that was cut."""


@click.command(cls=Command, name="carry-load", example="echo 'ping 0' | ./lab carry-load")
def command() -> int:
    """Drive k6 for the runner on the other end of standard input and output.

    What ./lab runs on load hosts; it is not for people.
    """
    words = listening(sys.stdin, lambda: signal.alarm(LOST_S))
    with suppress(BrokenPipeError):  # whoever was to hear it has gone
        FarSide(words, lambda line: print(line, flush=True)).attend()
    return EXIT_DONE
