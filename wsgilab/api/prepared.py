"""What every measurement begins with: a request that leaves nothing open, its servers, an engine that is ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from wsgilab.engines import choice, own_app
from wsgilab.engines.stack import Stack
from wsgilab.errors import UsageError, to_paste
from wsgilab.lab import ROOT, slots, variants
from wsgilab.lab.servers import Lab, load_lab
from wsgilab.machine.turns import turn_on_this_machine
from wsgilab.measure import tuning
from wsgilab.measure.job import with_seed
from wsgilab.model.request import DEFAULTS, Request
from wsgilab.model.server import Server
from wsgilab.results.place import turn_in_this_process


def settled(request: Request) -> Request:
    """The request with everything decided that it leaves open, and nothing that depends on the current folder."""
    if request.app_dir and not Path(request.app_dir).is_dir():
        raise UsageError(
            f"--app-dir {request.app_dir} is not a folder.",
            "a typo, or a path from elsewhere",
            to_paste("ls", Path(request.app_dir).parent),
        )
    app_dir = str(Path(request.app_dir).resolve()) if request.app_dir else None
    together = request.together
    settings = {**request.settings, **(together.settings if together else {})}
    return with_seed(request.but(app_dir=app_dir, settings=settings))


def selection(request: Request) -> tuple[Lab, list[Server]]:
    """The lab with the variants that were asked for, and the servers to measure. Raises UsageError.

    Those that are named (or the default ones), and each variant wherever it is named, or after them; with the slots
    that were asked for, as far as that can be.
    """
    asked = [variants.parse(text) for text in request.variants]
    lab = variants.add(load_lab(ROOT, request.variables), asked)
    if together := request.together:
        lab = replace(lab, address=together.servers.address, load_hosts=together.load_in_words)
    if request.command == "tune":
        return tuning.with_settings(lab, tuning.question_of(request, lab, request.families[0]))
    chosen = list(request.servers or lab.default_servers)
    names = [*chosen, *(variant.name for variant in asked if variant.name not in chosen)]
    if request.slots:
        counts = tuple(count for count in request.slots if isinstance(count, int))
        lab, servers = slots.equalise(lab, names, slots.Wanted(counts, defaults=DEFAULTS in request.slots))
    else:
        servers = lab.select(names)
    return variants.with_revision(lab, servers, request.before) if request.before else (lab, servers)


@contextmanager
def ready(stack: Stack) -> Iterator[tuple[Stack, str]]:
    """The stack with its engine chosen and its app installed, for as long as it is its turn; and why that engine."""
    request, listener = stack.request, stack.listener
    lock = Path(request.lock) if request.lock else None
    with turn_in_this_process(stack.stop, listener), turn_on_this_machine(lock):
        engine, why = choice.choose(stack)
        listener.engine_chosen("compose" if engine == "attached" else engine, why)
        prepared = own_app.prepared(stack, engine)
        yield replace(prepared, request=request.but(engine=engine)), why
