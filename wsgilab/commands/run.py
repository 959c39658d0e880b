"""`./lab run`: measure servers side by side, judge them, report."""

from __future__ import annotations

from typing import Any

import click

from wsgilab.commands import environment
from wsgilab.commands.grammar import Command, flag
from wsgilab.commands.measuring import measure
from wsgilab.commands.options import HOW_LONG, schedule, selection
from wsgilab.errors import UsageError, Verbatim

QUICK = {"rounds": 1, "duration_s": 1.5}
RIGOROUS = {"rounds": 10, "duration_s": 8.0}


@click.command(cls=Command, name="run", example="./lab run --servers gunicorn,uwsgi --rate 50,200 --slo 'p95<100ms'")
@schedule("run", rates="100,250")
@flag("--quick", HOW_LONG, "1 round of 1.5 s windows: a first look, without intervals.")
@flag("--rigorous", HOW_LONG, "10 rounds of 8 s windows: narrow intervals.")
@selection("run")
def command(quick: bool, rigorous: bool, as_json: bool, **asked: Any) -> int:
    """Measure servers side by side and judge them.

    Every server gets the same load, in rounds whose order is shuffled; then comes a verdict with intervals.
    """
    if quick and rigorous:
        cause = "both say how long to measure"
        raise UsageError("--quick and --rigorous cannot be combined.", cause, Verbatim("./lab run --rigorous"))
    preset: dict[str, Any] = QUICK if quick else RIGOROUS if rigorous else {}
    given = {name: value for name, value in asked.items() if value is not None}
    ways = given.pop("keep_alive", None)
    return measure(environment.request("run", preset | given), as_json, ways)
