"""`./lab test`: the lab's own tests; hands over to pytest."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from wsgilab.commands.grammar import Command
from wsgilab.lab import ROOT


class Everything(Command):
    """All that follows `test` is pytest's, which has options of its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As they are, but for a question to us."""
        if args[:1] in (["--help"], ["-h"]):
            return super().parse_args(ctx, args)
        ctx.params["words"] = tuple(args)
        return []


@click.command(cls=Everything, name="test", example="./lab test tests/unit -k slo")
@click.argument("words", nargs=-1, metavar="[PYTEST ARGUMENTS]…")
def command(words: tuple[str, ...]) -> NoReturn:
    """Run everything that this machine can test.

    Arguments and options are pytest's own. It ends with a list of what it had to skip, and why.
    """
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *words])
