"""`./lab gate`: pass or fail an app, for a pipeline."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from wsgilab import api
from wsgilab.commands import environment, typed, values
from wsgilab.commands.console import console, say, show_gate, show_json, show_verdict
from wsgilab.commands.grammar import Command, flag, option
from wsgilab.commands.measuring import exit_code
from wsgilab.commands.options import budget, schedule, selection
from wsgilab.commands.progress import Progress
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import EXIT_DONE, EXIT_NOT_PASSED, MissingError, TooNoisy, UsageError, to_paste
from wsgilab.machine import leftovers
from wsgilab.model.gate import FAILURES, Gate
from wsgilab.model.outcomes import Outcome
from wsgilab.model.request import DEFAULT_TOLERANCE, Request
from wsgilab.model.verdict import Verdict
from wsgilab.reports import github, junit, pull_request
from wsgilab.results.result import Result

COMPARED, FOR_PIPELINES = "What it is compared with", "For pipelines"
RATES_RPS = (100.0,)
FILES: Mapping[str, Callable[[Gate, Verdict], str]] = {
    "junit": lambda gate, _verdict: junit.render(gate),
    "markdown": pull_request.render,
}
"""Option → what writes its file."""
OF_THIS_RUN = ("--rounds", "--budget", "--out")
"""What the next try has otherwise."""


@click.command(
    cls=Command,
    name="gate",
    example="./lab gate --app-dir . --servers gunicorn --slo 'p99<250ms and failed<0.1%' --against origin/main",
)
@option(
    "--against",
    group=COMPARED,
    metavar="REF",
    help="A revision of the app's git repository, measured next to the working tree in the same run.",
)
@option(
    "--baseline",
    type=values.FILE,
    group=COMPARED,
    metavar="FILE|DIR",
    help="The verdict.json, or the folder, of an earlier run on this machine.",
)
@option(
    "--tolerance",
    type=values.PERCENTAGE,
    group=COMPARED,
    metavar="N%",
    help=f"By how much a figure may get worse (default: {DEFAULT_TOLERANCE:.0%}).",
)
@option("--junit", type=values.FILE, group=FOR_PIPELINES, metavar="FILE", help="Write JUnit XML.")
@option("--markdown", type=values.FILE, group=FOR_PIPELINES, metavar="FILE", help="Write a comment for a pull request.")
@flag("--github", FOR_PIPELINES, "Print annotations for GitHub Actions.")
@schedule("gate", rates="100")
@budget("gate", "Seconds of measuring, at most, where --rounds does not say")
@selection("gate")
def command(as_json: bool, **asked: Any) -> int:
    """Pass or fail an app, for a pipeline.

    It passes (exit code 0) if the SLO is kept and nothing got worse, and fails (6) otherwise; 5: too noisy to say.
    """
    files = {name: path for name in FILES if (path := asked.pop(name))}
    for path in files.values():
        _require_writable(path)
    to_github = asked.pop("github")
    against = {name: asked.pop(name) for name in ("baseline", "against")}
    result = _measure(_request(asked), against)
    if result.gate is None:
        if not as_json:
            show_verdict(result.verdict, result.folder)
        return exit_code(result)
    if as_json:
        show_json(result.gate.to_json())
    else:
        show_gate(result.gate, result.verdict, result.folder)
    if to_github:
        print(github.render(result.gate), end="", file=sys.stderr if as_json else sys.stdout)
    for name, path in files.items():
        _write(path, FILES[name](result.gate, result.verdict))
    return _ends_with(result, result.gate)


def _request(asked: dict[str, Any]) -> Request:
    ways = asked.pop("keep_alive")
    if ways and len(ways) > 1:
        cause = "a gate gives one answer, and figures of the one are never compared with those of the other"
        once = typed.again("--keep-alive", "reused", without=("--keep-alive",))
        raise UsageError("A gate measures new connections or reused ones, not both.", cause, once)
    if ways:
        asked["keep_alive"] = ways[0]
    request = environment.request("gate", asked, {"rates_rps": RATES_RPS})
    if not request.servers and not request.variants:
        raise UsageError(
            "No server is named.",
            "a gate is for the servers that the app is served with, not for all that the lab has",
            typed.again("--servers", "gunicorn"),
        )
    return request


def _measure(request: Request, against: dict[str, Any]) -> Result:
    leftovers.adopt()
    with stop_on_signals() as stop, Progress(console(sys.stderr)) as progress:
        return api.gate(request, listener=progress, stop=stop, **against)


def _ends_with(result: Result, gate: Gate) -> int:
    code = exit_code(result)
    if code != EXIT_DONE:
        return code
    if gate.outcome is Outcome.NOISY:
        rounds = gate.rounds_wanted or 2 * result.verdict.rounds
        noisy = TooNoisy(gate.summary, typed.again("--rounds", str(rounds), without=OF_THIS_RUN))
        say(noisy)
        return noisy.exit_code
    return EXIT_NOT_PASSED if gate.outcome in FAILURES else EXIT_DONE


def _require_writable(path: Path) -> None:
    """Raise MissingError where a report could not be written: before the minutes that measuring takes."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        cause = "a folder that is not there, or not yours"
        raise MissingError(f"{path} cannot be written.", cause, to_paste("ls", "-ld", folder))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        cause = "the disk is full, or the folder is gone"
        raise MissingError(
            f"{path} cannot be written: {error.strerror}.", cause, to_paste("df", "-h", path.parent)
        ) from error
