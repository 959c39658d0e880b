"""`./lab tune`: which settings of a server suit an app on this budget."""

from __future__ import annotations

import sys
from typing import Any

import click

from wsgilab import api
from wsgilab.analysis.tuning import across
from wsgilab.commands import environment, typed, values
from wsgilab.commands.console import console, say, show_json, show_sentences, show_tuning
from wsgilab.commands.grammar import Command, option
from wsgilab.commands.measuring import exit_code
from wsgilab.commands.options import WHAT, WHERE, budget, duration, tuned
from wsgilab.commands.progress import Progress
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import EXIT_DONE, Interrupted, MissingError, UsageError, to_paste
from wsgilab.lab import families
from wsgilab.machine import cpus, leftovers
from wsgilab.model.request import DEFAULT_HEADROOM, MAX_RATE_RPS, Request
from wsgilab.results.result import Result

EXAMPLE = "./lab tune --server gunicorn"
MOST_CPUS = 1024
OF_THIS_TRY = ("--server", "--out", "--resume", "--seed")
"""What a tuning that goes on has otherwise."""


@click.command(cls=Command, name="tune", example="./lab tune --app-dir . --server gunicorn --slo 'p99<250ms'")
@option("--server", group=WHAT, metavar="NAME", help="Which to tune: gunicorn, uwsgi, or all.")
@option(
    "--rate",
    "expected_rps",
    type=values.number("the rate", 0, MAX_RATE_RPS),
    group=WHAT,
    metavar="RPS",
    help="The rate that you expect: find the cheapest setting that keeps it (default: the one that can do most).",
)
@option(
    "--headroom",
    type=values.PERCENTAGE,
    group=WHAT,
    metavar="N%",
    help=f"How much more than --rate it must keep (default: {DEFAULT_HEADROOM:.0%}).",
)
@option(
    "--cpus",
    "count",
    type=values.whole("CPUs", MOST_CPUS),
    group=WHAT,
    metavar="N",
    help="How many CPUs the server has (default: those of SERVER_CPUS in .env). The load takes another.",
)
@option(
    "--memory",
    "memory_mb",
    type=values.MEMORY,
    group=WHAT,
    metavar="SIZE",
    help="What the server may use: 512m, 2g (default: SERVER_MEMORY of .env).",
)
@duration("tune", 1, "Measured seconds of the windows that decide")
@budget("tune", "Seconds of measuring for each server, at most")
@option(
    "--resume",
    type=values.FOLDER,
    group=WHERE,
    metavar="DIR",
    help="Go on with a tuning that was interrupted, by the same options (--budget may differ); no window is lost.",
)
@tuned()
def command(as_json: bool, server: str | None, count: int | None, **asked: Any) -> int:
    """Find the workers and threads of a server that suit an app best.

    A calibration, a race of settings, and a final of the best; the settings that people use are in it too.
    """
    wanted = _families(server, asked)
    request = environment.request("tune", {**asked, "keep_alive": _connections(asked.pop("keep_alive"))})
    if count is not None:
        request = request.but(settings={**request.settings, **_cpu_sets(count)})
    results = _measure(request, wanted, as_json)
    tunings = {family: result.tuning for family, result in results.items() if result.tuning}
    of_all = list(across.sentences(list(tunings.values())))
    if as_json:
        plain = {family: tuning.to_json() for family, tuning in tunings.items()}
        show_json({**plain, "of_all": of_all} if len(wanted) > 1 else plain.get(wanted[0]))
    elif of_all:
        show_sentences(of_all)
    return max(_ends_with(family, result) for family, result in results.items())


def _families(server: str | None, asked: dict[str, Any]) -> tuple[str, ...]:
    """Which to tune. Raises UsageError, also for options that only make sense together."""
    if server is None:
        cause = "a tuning is for the server that the app is served with, or for all that can be tuned"
        raise UsageError("No server is named.", cause, EXAMPLE)
    if asked["headroom"] is not None and asked["expected_rps"] is None:
        cause = "it is room above the rate that you expect"
        raise UsageError("--headroom needs --rate.", cause, f"{EXAMPLE} --rate 100 --headroom 50%")
    wanted = families.families_of(server)
    if asked["resume"] and len(wanted) > 1:
        cause = "a folder holds the tuning of one server"
        raise UsageError("--resume goes on with one server.", cause, f"{EXAMPLE} --resume {to_paste(asked['resume'])}")
    return wanted


def _connections(ways: tuple[bool, ...] | None) -> bool | None:
    """Whether connections are used again; None where nobody said. Raises UsageError for both ways."""
    if ways and len(ways) > 1:
        cause = "settings are compared under one kind of load"
        raise UsageError("A tuning is for new connections or reused ones, not both.", cause, EXAMPLE)
    return ways[0] if ways else None


def _cpu_sets(count: int) -> dict[str, str]:
    """The CPUs of server and load, where the server is to have so many. Raises MissingError where there are too few."""
    usable = cpus.available() or frozenset(range(count + 1))
    if count >= len(usable):
        raise MissingError(
            f"--cpus {count} leaves none for the load: {cpus.listed(usable)} can be used here.",
            "the load has a CPU of its own, or it would slow down what it measures",
            typed.again("--cpus", str(max(1, len(usable) - 1)), without=("--cpus",)),
        )
    servers, load = cpus.proposed(usable, count)
    return {"SERVER_CPUS": cpus.listed(servers), "LOAD_CPUS": cpus.listed(load)}


def _measure(request: Request, wanted: tuple[str, ...], as_json: bool) -> dict[str, Result]:
    """What came of each family; after one that was stopped, there are no more."""
    leftovers.adopt()
    results: dict[str, Result] = {}
    with stop_on_signals() as stop:
        for family in wanted:
            out = f"{request.out}/{family}" if request.out and len(wanted) > 1 else request.out
            with Progress(console(sys.stderr)) as progress:
                results[family] = api.tune(request.but(families=(family,), out=out), progress, stop)
            if not as_json:
                show_tuning(results[family].tuning, results[family].verdict, results[family].folder)
            if results[family].trouble:
                break
    return results


def _ends_with(family: str, result: Result) -> int:
    """The exit code. A setting that died is a result of a tuning, and no error; so is that none keeps the SLO."""
    if result.trouble or all(window.void is not None for window in result.windows):
        code = exit_code(result)
        if isinstance(result.trouble, Interrupted) and result.folder:
            more = ("--server", family, "--resume", str(result.folder))
            say(f"to go on: {typed.again(*more, without=OF_THIS_TRY)}")
        return code
    return EXIT_DONE
