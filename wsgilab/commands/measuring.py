"""What all commands that measure have in common: they show how it goes, then the verdict, and end with a code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from wsgilab import api
from wsgilab.commands.console import console, say, show_json, show_verdict
from wsgilab.commands.progress import Progress
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_SERVER, Interrupted, LabError, NoValidWindow, ServerError
from wsgilab.machine import leftovers
from wsgilab.model.request import Request
from wsgilab.model.window import Window


def measure(request: Request, as_json: bool) -> int:
    """Carry out the request and show the verdict. Gives the exit code; raises LabError where nothing was measured."""
    leftovers.adopt()
    with stop_on_signals() as stop, Progress(console(sys.stderr)) as progress:
        result = api.carry_out(request, progress, stop)
    if as_json:
        show_json(result.verdict.to_json())
    else:
        show_verdict(result.verdict, result.folder)
    return exit_code(result.windows, result.trouble)


def exit_code(windows: Sequence[Window], trouble: LabError | Interrupted | None) -> int:
    """How a measurement of which there is something to show ends: says what was wrong, and gives the code."""
    if isinstance(trouble, Interrupted):
        say("interrupted; what was measured until then is kept and reported above.")
        return EXIT_INTERRUPTED
    if trouble:
        say(trouble)
        return trouble.exit_code
    died = {window.plan.server: window.died for window in windows if window.died}
    for server, reason in died.items():
        say(
            ServerError(
                f"{server} died: {reason}. The other servers were measured to the end.",
                "the app or the server crashed, or it was killed by the kernel (out of memory) or by hand",
                f"./lab run --quick --servers {server}",
            )
        )
    if died:
        return EXIT_SERVER
    return EXIT_DONE if any(window.void is None for window in windows) else no_valid_window()


def no_valid_window() -> int:
    """Says so, and gives the exit code."""
    say(NoValidWindow())
    return NoValidWindow.exit_code
