"""The commands, and how errors become exit codes."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from wsgilab.commands import capacity as search
from wsgilab.commands import compare as side_by_side
from wsgilab.commands import conclude, doctor, doctor_grafana, trace
from wsgilab.commands import run as the_run
from wsgilab.commands import view as the_view
from wsgilab.commands.options import build_parser, parse
from wsgilab.errors import EXIT_DONE, EXIT_INTERRUPTED, Interrupted, LabError, MissingError, NoValidWindow
from wsgilab.lab import ROOT
from wsgilab.lab.servers import load_lab
from wsgilab.results.folder import ELSEWHERE, RunFolder


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its code."""
    arguments = parse(build_parser(), sys.argv[1:] if argv is None else argv)
    trace.show(calls=arguments.debug)
    try:
        code = COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
        sys.exit(code)
    except LabError as error:
        if arguments.debug:
            raise
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (Interrupted, KeyboardInterrupt):
        print("lab: interrupted before anything was measured.", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if arguments.debug:
            raise
        fault = _unforeseen(error)
        print(f"lab: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)


def _unforeseen(error: Exception) -> LabError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MissingError(
            f"Something could not be written: {error.strerror}.",
            "the disk of the output, of /tmp or of /dev/shm is full",
            "df -h shows which",
        )
    return LabError(
        f"Something in the lab itself went wrong: {type(error).__name__}: {error}",
        "a fault of the lab, not of yours",
        "the same command with --debug shows where; please report it",
    )


def run(arguments: argparse.Namespace) -> int:
    """`./lab run`: measure servers side by side, judge them, report."""
    return the_run.run(ROOT, arguments)


def capacity(arguments: argparse.Namespace) -> int:
    """`./lab capacity`: the highest offered rate that keeps the SLO, for each server."""
    return search.search(ROOT, arguments)


def report(arguments: argparse.Namespace) -> int:
    """`./lab report DIR`: judge and render again from the saved windows; `./lab report A B`: what changed."""
    if arguments.other:
        return side_by_side.compare(arguments.folder, arguments.other, arguments.anyway, arguments.json)
    folder = RunFolder.open(arguments.folder)
    windows, problems = folder.read()
    manifest, more = folder.read_manifest()
    problems += more
    for problem in problems:
        print(f"lab: {problem}", file=sys.stderr)
    trouble: LabError | None = None
    try:
        verdict = conclude.save(folder, windows, manifest, problems)
    except MissingError as error:  # somebody else's run can be read all the same
        trouble = MissingError(error.what, error.cause, error.next_command.removesuffix(ELSEWHERE))
        verdict = conclude.judge(windows, manifest, problems)
    if arguments.json:
        print(json.dumps(verdict.to_json(), indent=2))
    else:
        conclude.show(verdict, None if trouble else folder)
    if trouble:
        print(f"lab: {trouble}", file=sys.stderr)
        return trouble.exit_code
    if any(window.void is None for window in windows):
        return EXIT_DONE
    print(f"lab: {NoValidWindow()}", file=sys.stderr)
    return NoValidWindow.exit_code


def view(arguments: argparse.Namespace) -> int:
    """`./lab view`: the dashboards in a browser, live, where there is no Grafana."""
    return the_view.view(load_lab(ROOT), arguments)


def examine(arguments: argparse.Namespace) -> int:
    """`./lab doctor`: what is missing or odd on this machine."""
    if arguments.clean:
        doctor.clean()
    lab = load_lab(ROOT)
    findings = list(doctor_grafana.examine(lab, arguments.grafana)) if arguments.grafana else doctor.examine(lab)
    if arguments.json:
        print(json.dumps([finding.to_json() for finding in findings], indent=2))
    else:
        doctor.show(findings, conclude.console(sys.stdout))
    return doctor.exit_code(findings)


def test(arguments: argparse.Namespace) -> int:
    """`./lab test`: the lab's own tests; hands over to pytest."""
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments.pytest])


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "capacity": capacity,
    "report": report,
    "view": view,
    "doctor": examine,
    "test": test,
}
