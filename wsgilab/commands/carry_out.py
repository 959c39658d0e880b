"""`wsgilab carry-out`, in the runner's container: does what the ./lab asks that started it, and tells it everything."""

from __future__ import annotations

import sys
import traceback

import click

from wsgilab import api
from wsgilab.commands import environment
from wsgilab.commands.faults import unforeseen
from wsgilab.commands.grammar import Command
from wsgilab.commands.signals import stop_on_signals
from wsgilab.engines.errands import Host
from wsgilab.errors import EXIT_DONE, Interrupted, LabError
from wsgilab.model.events import Ended, Teller
from wsgilab.model.manifest import Manifest


@click.command(cls=Command, name="carry-out", example="LAB_REQUEST='{\"schema\":1}' ./lab carry-out")
def command() -> int:
    """Do what the JSON in LAB_REQUEST asks, and tell each step as a line of JSON.

    What ./lab runs in the runner's container; it is not for people.
    """
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
            result = api.carry_out(request, teller, stop, host)
        except (LabError, Interrupted) as error:
            return Ended(Manifest(), None, error)
        except Exception as error:
            traceback.print_exc()
            return Ended(Manifest(), None, unforeseen(error))
    return Ended(result.manifest, str(result.folder) if result.folder else None, result.trouble)
