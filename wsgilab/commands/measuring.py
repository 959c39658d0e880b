"""What all commands that measure have in common: they show how it goes, then the verdict, and end with a code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from wsgilab import api
from wsgilab.commands.console import console, say, show_json, show_verdict
from wsgilab.commands.progress import Progress
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_SERVER, Interrupted, NoValidWindow, ServerError, to_paste
from wsgilab.machine import leftovers
from wsgilab.model.request import Request
from wsgilab.results.result import Result

NAMES = ("new", "reused")
"""What a measurement with connections of its own for each request is called, and one that uses them again."""


def measure(request: Request, as_json: bool, ways: Sequence[bool] | None = None) -> int:
    """Carry out the request and show the verdict. Gives the exit code; raises LabError where nothing was measured.

    `ways`: whether connections are used again; with several, one measurement after the other, each with a verdict of
    its own, for figures of the one are never compared with those of the other.
    """
    leftovers.adopt()
    ways = ways or (request.keep_alive,)
    results: list[Result] = []
    with stop_on_signals() as stop:
        for one in _each_way(request, ways):
            with Progress(console(sys.stderr)) as progress:
                results.append(api.carry_out(one, progress, stop))
            if not as_json:
                show_verdict(results[-1].verdict, results[-1].folder)
            if isinstance(results[-1].trouble, Interrupted):
                break
    if as_json:
        verdicts = [result.verdict.to_json() for result in results]
        show_json(verdicts[0] if len(ways) == 1 else dict(zip(NAMES, verdicts, strict=False)))
    return max(map(exit_code, results))


def _each_way(request: Request, ways: Sequence[bool]) -> Iterator[Request]:
    """The same for connections that are used again and not; of several, each with a folder of its own."""
    for keep_alive in ways:
        out = request.out
        if out and len(ways) > 1:
            out = str(Path(out) / NAMES[keep_alive])
        yield request.but(keep_alive=keep_alive, out=out)


def exit_code(result: Result) -> int:
    """How a measurement of which there is something to show ends: says what was wrong, and gives the code."""
    if isinstance(result.trouble, Interrupted):
        say("interrupted; what was measured until then is kept and reported above.")
        return EXIT_INTERRUPTED
    if result.trouble:
        say(result.trouble)
        return result.trouble.exit_code
    died = {window.plan.server: window.died for window in result.windows if window.died}
    others = " The other servers were measured to the end." if _servers(result) - died.keys() else ""
    for server, reason in died.items():
        say(
            ServerError(
                f"{server} died: {reason}.{others}",
                "the app or the server crashed, or it was killed by the kernel (out of memory) or by hand",
                # Its last lines stand there. A name of this run alone could not be measured again by itself.
                to_paste("./lab", "report", result.folder) if result.folder else "./lab doctor",
            )
        )
    if died:
        return EXIT_SERVER
    return EXIT_DONE if any(window.void is None for window in result.windows) else no_valid_window()


def _servers(result: Result) -> set[str]:
    return {window.plan.server for window in result.windows}


def no_valid_window() -> int:
    """Says so, and gives the exit code."""
    say(NoValidWindow())
    return NoValidWindow.exit_code
