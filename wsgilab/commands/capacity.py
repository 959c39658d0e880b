"""`./lab capacity`: the highest offered rate that keeps the SLO, for each server."""

from __future__ import annotations

from typing import Any

import click

from wsgilab.commands import environment
from wsgilab.commands.grammar import Command
from wsgilab.commands.measuring import measure
from wsgilab.commands.options import budget, duration, selection


@click.command(cls=Command, name="capacity", example="./lab capacity --servers gunicorn,waitress --slo 'p99<500ms'")
@duration("capacity", 1, "For how long a rate must keep the SLO")
@budget("capacity", "Seconds of searching for each server, at most")
@selection("capacity")
def command(as_json: bool, **asked: Any) -> int:
    """Find the highest rate that keeps the SLO.

    The servers take turns, step by step of the search, in an order that is shuffled each time.
    """
    ways = asked.pop("keep_alive")
    return measure(environment.request("capacity", asked), as_json, ways)
