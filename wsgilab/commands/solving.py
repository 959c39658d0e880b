"""Runs the commands of a solution, each shown before it starts, in the clone's folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from wsgilab.commands import command_lines
from wsgilab.commands.console import say
from wsgilab.errors import EXIT_DONE, EXIT_MISSING, EXIT_NO_VALID_WINDOW, EXIT_SERVER
from wsgilab.lab import ROOT

INTENDED = (EXIT_DONE, EXIT_SERVER, EXIT_NO_VALID_WINDOW)
"""Some exercises make a server die, or a window void, on purpose; whether that was so, the check says."""


def run_solution(commands: Sequence[str]) -> int:
    """Run them one after the other. Gives 0, or the exit code of one that did not do what it was there for."""
    for line in commands:
        print(f"\n$ {line}", flush=True)
        asked = command_lines.parse(line)
        here = {**os.environ, "PYTHONPATH": str(ROOT), **asked.variables}
        try:
            code = _ended(subprocess.Popen(asked.runnable, cwd=ROOT, env=here))
        except OSError as error:
            say(f"`{line}` cannot be started: {error.strerror}.")
            return EXIT_MISSING
        if code not in INTENDED:
            return code
    return EXIT_DONE


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit code. Ctrl-C reaches it as well, and a measurement then still saves what it has: it is waited for."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
