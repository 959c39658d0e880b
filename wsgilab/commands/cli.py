"""The commands, and how errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from wsgilab.commands import faults, trace
from wsgilab.commands.grammar import DEBUG, Entry, Lab, version_option
from wsgilab.errors import EXIT_INTERRUPTED, Interrupted, LabError

COMPLETE = "_LAB_COMPLETE"
"""Set by a shell that wants to know what could come next, or the script that makes it ask."""
MEASURE, LOOK, WORKSHOP, MACHINE = "Measure", "Look at what was measured", "Learn", "This machine"
COMMANDS = {
    "run": Entry(MEASURE, "wsgilab.commands.run", "Measure servers side by side and judge them."),
    "capacity": Entry(MEASURE, "wsgilab.commands.capacity", "Find the highest rate that keeps the SLO."),
    "tune": Entry(MEASURE, "wsgilab.commands.tune", "Find the workers and threads that suit an app best."),
    "gate": Entry(MEASURE, "wsgilab.commands.gate", "Pass or fail an app, for a pipeline."),
    "vitals": Entry(MEASURE, "wsgilab.commands.vitals", "Measure what a browser feels with each server."),
    "init": Entry(MEASURE, "wsgilab.commands.init", "Write a first lab.toml: the traffic of an app."),
    "kubernetes": Entry(MEASURE, "wsgilab.commands.kubernetes", "Write manifests with which a cluster measures."),
    "report": Entry(LOOK, "wsgilab.commands.report", "Render a run again, or say what changed between two runs."),
    "view": Entry(LOOK, "wsgilab.commands.view", "The lab in a browser: live, lesson, dashboards."),
    "exercise": Entry(
        WORKSHOP, "wsgilab.commands.exercise", "The exercises of the workshop, and whether yours are done."
    ),
    "quiz": Entry(WORKSHOP, "wsgilab.commands.quiz", "The questions of the workshop, each answer explained."),
    "doctor": Entry(MACHINE, "wsgilab.commands.doctor", "What is missing or odd on this machine."),
    "bundle": Entry(MACHINE, "wsgilab.commands.bundle", "Everything for a room without a network, in one file."),
    "test": Entry(MACHINE, "wsgilab.commands.test", "Run everything that this machine can test."),
    "carry-load": Entry("", "wsgilab.commands.carry_load", "What ./lab runs on load hosts."),
    "carry-out": Entry("", "wsgilab.commands.carry_out", "What ./lab runs in the runner's container."),
}
"""One line a command; those of no group are not for people."""


@click.command(
    cls=Lab,
    entries=COMMANDS,
    help="Measures how best to serve a Flask app.",
    epilog="For a first look: ./lab run --quick. Exit codes: docs/reference.md.",
)
@version_option()
def lab() -> None:
    """Everything is in the commands."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its code."""
    if os.environ.get(COMPLETE):
        from wsgilab.commands.completion import complete

        sys.exit(complete(lab, COMPLETE, os.environ[COMPLETE]))
    trace.show(calls=False)
    debug = False
    try:
        with lab.make_context("./lab", list(sys.argv[1:] if argv is None else argv)) as context:
            try:
                code = lab.invoke(context)
            finally:
                debug = context.meta.get(DEBUG, False)
        sys.stdout.flush()
        sys.exit(code)
    except click.exceptions.Exit as done:  # --help, --version
        sys.exit(done.exit_code)
    except LabError as error:
        if debug:
            raise
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (Interrupted, KeyboardInterrupt):
        print("lab: interrupted before anything was measured.", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if debug:
            raise
        fault = faults.unforeseen(error)
        print(f"lab: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)
