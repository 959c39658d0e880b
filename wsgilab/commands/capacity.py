"""`./lab capacity`: the highest offered rate that keeps the SLO, for each server."""

from __future__ import annotations

from typing import Any

import click

from wsgilab.commands import environment, values
from wsgilab.commands.grammar import Command, option
from wsgilab.commands.measuring import measure
from wsgilab.commands.options import HOW_LONG, selection
from wsgilab.model.request import MAX_BUDGET_S, MAX_DURATION_S


@click.command(cls=Command, name="capacity", example="./lab capacity --servers gunicorn,waitress --slo 'p99<500ms'")
@option(
    "--duration",
    "duration_s",
    type=values.seconds("the duration", 1, MAX_DURATION_S),
    group=HOW_LONG,
    metavar="S",
    help="For how long a rate must keep the SLO (default: 8).",
)
@option(
    "--budget",
    "budget_s",
    type=values.seconds("the budget", 20, MAX_BUDGET_S),
    group=HOW_LONG,
    metavar="S",
    help="Seconds of searching for each server, at most (default: 180).",
)
@selection("capacity")
def command(as_json: bool, **asked: Any) -> int:
    """Find the highest rate that keeps the SLO.

    One server after the other takes its next step of the search, in an order shuffled each turn.
    """
    ways = asked.pop("keep_alive")
    return measure(environment.request("capacity", asked), as_json, ways)
