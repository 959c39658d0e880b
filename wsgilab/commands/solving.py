"""Runs the commands of a solution, each shown before it starts, in the clone's folder."""

from __future__ import annotations

import os
from collections.abc import Sequence

from wsgilab.commands import command_lines
from wsgilab.errors import EXIT_DONE, EXIT_NO_VALID_WINDOW, EXIT_SERVER
from wsgilab.lab import ROOT
from wsgilab.machine import processes

INTENDED = (EXIT_DONE, EXIT_SERVER, EXIT_NO_VALID_WINDOW)
"""Some exercises make a server die, or a window void, on purpose; whether that was so, the check says."""


def run_solution(commands: Sequence[str]) -> int:
    """Run them one after the other. Gives 0, or the exit code of one that did not do what it was there for."""
    for line in commands:
        print(f"\n$ {line}", flush=True)
        asked = command_lines.parse(line)
        code = processes.attend(asked.runnable, ROOT, {**os.environ, "PYTHONPATH": str(ROOT), **asked.variables})
        if code not in INTENDED:
            return code
    return EXIT_DONE
