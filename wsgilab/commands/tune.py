"""`./lab tune`: which settings of a server suit an app on this budget."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from wsgilab import api
from wsgilab.analysis.tuning import across
from wsgilab.commands import environment, typed, values
from wsgilab.commands.console import console, say, show_json, show_together, show_tuning
from wsgilab.commands.grammar import Command, option
from wsgilab.commands.measuring import exit_code
from wsgilab.commands.options import WHAT, WHERE, budget, duration, tuned
from wsgilab.commands.progress import Progress
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import EXIT_DONE, EXIT_INTERRUPTED, Interrupted, LabError, MissingError, UsageError, to_paste
from wsgilab.lab import families
from wsgilab.machine import cpus, leftovers
from wsgilab.measure.manifest import utc_now
from wsgilab.model.hosts import Hosts
from wsgilab.model.request import DEFAULT_HEADROOM, MAX_RATE_RPS, Request
from wsgilab.results.folder import new_folder
from wsgilab.results.result import Result
from wsgilab.results.together import Together, require_room

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

    There is a calibration, a race of settings, and a final of the best, with the settings that people use.
    """
    wanted = _families(server, asked)
    request = environment.request("tune", {**asked, "keep_alive": _connections(asked.pop("keep_alive"))})
    if count is not None:
        request = request.but(settings={**request.settings, **_cpu_sets(count, request.elsewhere)})
    folder = _common_folder(request) if len(wanted) > 1 else None
    results, ended = _measure(request, wanted, as_json)
    codes = [_ends_with(family, result) for family, result in results.items()]
    together = api.side_by_side(list(results.values()), folder) if folder and len(results) > 1 else None
    if as_json:
        plain = {family: result.tuning.to_json() for family, result in results.items() if result.tuning}
        of_all = {"of_all": together.sentences if together else ()}
        show_json({**plain, **of_all} if folder else plain.get(wanted[0]))
    elif together:
        show_together(together)
    if together and together.trouble:
        codes.append(_said(together.trouble))
    return max([*codes, _said(ended)] if ended else codes)


def shown_again(together: Together, as_json: bool) -> int:
    """Show saved tunings that belong together. Gives the exit code."""
    for result in together.results:
        if result.tuning and not as_json:
            show_tuning(result.tuning, result.verdict, None if result.trouble else result.folder)
    if as_json:
        tunings = [result.tuning for result in together.results if result.tuning]
        plain = {across.family_of(tuning): tuning.to_json() for tuning in tunings}
        show_json({**plain, "of_all": together.sentences})
    else:
        show_together(together)
    troubles = [*(result.trouble for result in together.results), together.trouble]
    return max([EXIT_DONE, *(_said(trouble) for trouble in troubles if trouble)])


def _common_folder(request: Request) -> Path:
    """Where the page of several tunings will be. Raises UsageError where a run is."""
    if request.out is None:
        return new_folder(environment.results(), "tune-all", utc_now())
    require_room(Path(request.out))
    return Path(request.out)


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


def _cpu_sets(count: int, elsewhere: Hosts | None) -> dict[str, str]:
    """The CPUs of server and load, where the server is to have so many; `elsewhere`: the machines, if it is on another.

    Raises MissingError where this machine has too few, UsageError where the other one's are named already.
    """
    if elsewhere and elsewhere.servers.cpus:
        what = f"--cpus conflicts with the CPUs of {elsewhere.servers.name}."
        raise UsageError(what, "both say which CPUs the server has", typed.again(without=("--cpus",)))
    if elsewhere:
        return {"SERVER_CPUS": cpus.listed(frozenset(range(count)))}
    usable = cpus.available() or frozenset(range(count + 1))
    if count >= len(usable):
        raise MissingError(
            f"--cpus {count} leaves none for the load: {cpus.listed(usable)} can be used here.",
            "the load has a CPU of its own, or it would slow down what it measures",
            typed.again("--cpus", str(max(1, len(usable) - 1)), without=("--cpus",)),
        )
    servers, load = cpus.proposed(usable, count)
    return {"SERVER_CPUS": cpus.listed(servers), "LOAD_CPUS": cpus.listed(load)}


def _measure(
    request: Request, wanted: tuple[str, ...], as_json: bool
) -> tuple[dict[str, Result], LabError | Interrupted | None]:
    """(what came of each family, why there are no more). Raises that where there is none: LabError, Interrupted."""
    leftovers.adopt()
    results: dict[str, Result] = {}
    with stop_on_signals() as stop:
        for family in wanted:
            out = f"{request.out}/{family}" if request.out and len(wanted) > 1 else request.out
            try:
                with Progress(console(sys.stderr)) as progress:
                    results[family] = api.tune(request.but(families=(family,), out=out), progress, stop)
            except (LabError, Interrupted) as error:  # what was found of others is not lost for that
                if not results:
                    raise
                return results, error
            if not as_json:
                show_tuning(results[family].tuning, results[family].verdict, results[family].folder)
            if results[family].trouble:
                break
    return results, None


def _said(trouble: LabError | Interrupted) -> int:
    """Says what ended it, and gives the exit code."""
    if isinstance(trouble, Interrupted):
        say("interrupted before the next server was measured; what was measured until then is kept.")
        return EXIT_INTERRUPTED
    say(trouble)
    return trouble.exit_code


def _ends_with(family: str, result: Result) -> int:
    """The exit code. A setting that died is a result of a tuning, and no error; so is that none keeps the SLO."""
    if result.trouble or all(window.void is not None for window in result.windows):
        code = exit_code(result)
        if isinstance(result.trouble, Interrupted) and result.folder:
            more = ("--server", family, "--resume", str(result.folder))
            say(f"to go on: {typed.again(*more, without=OF_THIS_TRY)}")
        return code
    return EXIT_DONE
