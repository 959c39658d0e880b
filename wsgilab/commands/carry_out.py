"""`wsgilab carry-out`, in a container: does what somebody else asks, and tells it everything, or shows it to people."""

from __future__ import annotations

import sys
import traceback

import click

from wsgilab import api
from wsgilab.commands import environment
from wsgilab.commands.faults import unforeseen
from wsgilab.commands.grammar import Command, flag
from wsgilab.commands.measuring import measure
from wsgilab.commands.signals import stop_on_signals
from wsgilab.engines.errands import Host
from wsgilab.errors import EXIT_DONE, Interrupted, LabError
from wsgilab.model.events import Ended, Teller
from wsgilab.model.manifest import Manifest


@click.command(cls=Command, name="carry-out", example="LAB_REQUEST='{\"schema\":1}' ./lab carry-out")
@flag("--show", "Output", "Show progress and verdict to people, and end with the code of ./lab run: in a cluster.")
def command(show: bool) -> int:
    """Do what the JSON in LAB_REQUEST asks, and tell each step as a line of JSON.

    What ./lab runs in the runner's container, and a cluster's Job in its pod; it is not for people.
    """
    if show:
        return measure(environment.request_of_another_process(), as_json=False)
    teller = Teller(lambda line: print(line, flush=True))
    teller.ended(_ended(teller))
    return EXIT_DONE


def _ended(teller: Teller) -> Ended:
    with stop_on_signals() as stop:
        try:
            host = Host(teller.errand, sys.stdin.fileno(), stop)
            request = environment.request_of_another_process()
            if request.command == "doctor":
                api.check_up(request, teller, stop, host)
                return Ended(Manifest(), None, None)
            if request.command == "vitals":
                felt = api.vitals(request, teller, stop, host)
                return Ended(felt.manifest, str(felt.folder) if felt.folder else None, felt.trouble)
            result = api.carry_out(request, teller, stop, host)
        except (LabError, Interrupted) as error:
            return Ended(Manifest(), None, error)
        except Exception as error:
            traceback.print_exc()
            return Ended(Manifest(), None, unforeseen(error))
    return Ended(result.manifest, str(result.folder) if result.folder else None, result.trouble)
