"""What all commands that measure have in common: they show how it goes, then the verdict, and end with a code."""

from __future__ import annotations

import shlex
import sys

from wsgilab import api
from wsgilab.commands.console import console, say, show_json, show_verdict
from wsgilab.commands.progress import Progress
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_SERVER, Interrupted, NoValidWindow, ServerError
from wsgilab.machine import leftovers
from wsgilab.model.request import Request
from wsgilab.results.result import Result


def measure(request: Request, as_json: bool) -> int:
    """Carry out the request and show the verdict. Gives the exit code; raises LabError where nothing was measured."""
    leftovers.adopt()
    with stop_on_signals() as stop, Progress(console(sys.stderr)) as progress:
        result = api.carry_out(request, progress, stop)
    if as_json:
        show_json(result.verdict.to_json())
    else:
        show_verdict(result.verdict, result.folder)
    return exit_code(result)


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
                shlex.join(["./lab", "report", str(result.folder)]) if result.folder else "./lab doctor",
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
