"""`./lab report DIR`: judge and render again from the saved windows; `./lab report A B`: what changed."""

from __future__ import annotations

from pathlib import Path

import click

from wsgilab import api
from wsgilab.api import clicks
from wsgilab.commands import compare, tune, values, vitals
from wsgilab.commands.console import say, show_json, show_tuning, show_verdict
from wsgilab.commands.grammar import Command, as_json, debug, flag
from wsgilab.commands.measuring import no_valid_window
from wsgilab.errors import EXIT_DONE, LabError, MissingError
from wsgilab.results.folder import ELSEWHERE
from wsgilab.results.together import holds_tunings
from wsgilab.results.vitals import holds_blocks


@click.command(cls=Command, name="report", example="./lab report results/20260101T120000Z-run")
@click.argument("folder", type=values.FOLDER, metavar="DIR")
@click.argument("other", type=values.FOLDER, metavar="[DIR]", required=False)
@flag("--anyway", "Comparing two runs", "Compare runs of different machines or limits all the same.")
@as_json("Print verdict.json (tuning.json of a tuning), or what changed, instead of tables.")
@debug
def command(folder: Path, other: Path | None, anyway: bool, as_json: bool) -> int:
    """Render a run again from its saved windows.

    With two folders: say what changed from the first run to the second.
    """
    if other:
        return compare.compare(folder, other, anyway, as_json)
    if holds_blocks(folder):
        return vitals.shown(clicks.report_vitals(folder), as_json)
    if holds_tunings(folder):
        return tune.shown_again(api.report_side_by_side(folder), as_json)
    result = api.report(folder)
    for problem in result.unreadable:
        say(problem)
    if as_json:
        show_json(result.tuning.to_json() if result.tuning else result.verdict.to_json())
    elif result.tuning:
        show_tuning(result.tuning, result.verdict, None if result.trouble else folder)
    else:
        show_verdict(result.verdict, None if result.trouble else folder)
    if isinstance(result.trouble, LabError):  # somebody else's run can be read all the same
        trouble = result.trouble
        say(MissingError(trouble.what, trouble.cause.removesuffix(ELSEWHERE), trouble.next_command))
        return trouble.exit_code
    return EXIT_DONE if any(window.void is None for window in result.windows) else no_valid_window()
