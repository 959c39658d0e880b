"""`./lab vitals`: what a browser feels with each server, idle and under load."""

from __future__ import annotations

import sys
from typing import Any

import click

from wsgilab import api
from wsgilab.commands import environment, values
from wsgilab.commands.console import console, say, show_json, show_vitals
from wsgilab.commands.grammar import Command, flag, option
from wsgilab.commands.options import HOW_LONG, WHAT, around_a_browser
from wsgilab.commands.progress import Progress
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_NO_VALID_WINDOW,
    EXIT_SERVER,
    Interrupted,
    LabError,
    NoValidWindow,
    ServerError,
    to_paste,
)
from wsgilab.machine import leftovers
from wsgilab.model.request import DEFAULT_CLICKS, DEFAULT_ROUNDS, MAX_CLICKS, MAX_ROUNDS
from wsgilab.results.vitals import VitalsResult

DEFAULTS = {"rates_rps": (0.0, 100.0)}
QUICK = {"rounds": 3, "clicks": 2, "film": False}


@click.command(cls=Command, name="vitals", example="./lab vitals --servers gunicorn,uwsgi --rate 0,100")
@option(
    "--rate",
    "rates_rps",
    type=values.LOADS,
    group=WHAT,
    metavar="RPS[,RPS…]",
    help="Background load, in requests per second; 0 is none (default: 0,100).",
)
@option(
    "--rounds",
    type=values.whole("rounds", MAX_ROUNDS),
    group=HOW_LONG,
    metavar="N",
    help=f"Blocks of clicks on each server under each load (default: {DEFAULT_ROUNDS['vitals']}).",
)
@option(
    "--clicks",
    type=values.whole("clicks", MAX_CLICKS),
    group=HOW_LONG,
    metavar="N",
    help=f"Clicks on each button in a block (default: {DEFAULT_CLICKS}).",
)
@flag("--quick", HOW_LONG, "3 rounds of 2 clicks on each button, without pictures: a first look.")
@flag("--no-film", HOW_LONG, "Take no pictures of what is on the screen after a click.")
@around_a_browser()
def command(quick: bool, no_film: bool, as_json: bool, **asked: Any) -> int:
    """Click in a real browser, with each server, and tell what it felt.

    TTFB, FCP and LCP of page loads, INP and click to content of one button that is wired in four ways. An app of yours
    says in its lab.toml what to click on: [[vitals.clicks]] with name, page, and the selectors (CSS) click and content.
    """
    preset: dict[str, Any] = {**(QUICK if quick else {}), **({"film": False} if no_film else {})}
    given = {name: value for name, value in asked.items() if value is not None}
    request = environment.request("vitals", preset | given, DEFAULTS)
    leftovers.adopt()
    with stop_on_signals() as stop, Progress(console(sys.stderr)) as progress:
        result = api.vitals(request, progress, stop)
    return shown(result, as_json)


def shown(result: VitalsResult, as_json: bool) -> int:
    """Show what came of it, say what was wrong, and give the exit code."""
    if as_json:
        show_json(result.verdict.to_json())
    else:
        show_vitals(result.verdict, result.folder)
    if isinstance(result.trouble, Interrupted):
        say("interrupted; what was measured until then is kept and reported above.")
        return EXIT_INTERRUPTED
    if isinstance(result.trouble, LabError):
        say(result.trouble)
        return result.trouble.exit_code
    for death in result.verdict.deaths:
        cause = "the app or the server crashed, or it was killed by the kernel (out of memory) or by hand"
        next_command = to_paste("./lab", "report", result.folder) if result.folder else "./lab doctor"
        say(ServerError(f"{death.server} died: {death.reason}.", cause, next_command))
    if result.verdict.deaths:
        return EXIT_SERVER
    if any(block.void is None for block in result.blocks):
        return EXIT_DONE
    say(NoValidWindow("block"))
    return EXIT_NO_VALID_WINDOW
