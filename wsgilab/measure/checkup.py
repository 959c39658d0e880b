"""The story of a check-up: start a server with the app, ask it each kind of request, and go on to the next."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from wsgilab.analysis.checkup.workers import SLOW_START_S
from wsgilab.engines import Endpoint, Engine, compose
from wsgilab.engines.cluster import next_to_runner
from wsgilab.engines.local import LocalEngine
from wsgilab.engines.stack import Stack
from wsgilab.errors import ServerError
from wsgilab.lab import mix, variants
from wsgilab.lab.mix import Mix
from wsgilab.machine import cpus, leftovers
from wsgilab.measure.asking import Visitor, routes_at
from wsgilab.measure.readings import take_reading
from wsgilab.model.checkup import Checkup
from wsgilab.model.request import ATTACHED
from wsgilab.model.server import Server

WITNESS = {"LAB_WITNESS": "1"}
"""The variable that puts a witness into each worker: services/serve/witness.py."""


def check_up_here(stack: Stack) -> list[Checkup]:
    """Ask each server of a stack, local ones started one after the other; the listener hears of each.

    Raises MissingError for a port, a tool or a container that is not there, Interrupted.
    """
    if stack.request.engine in ATTACHED:
        return list(_told(stack, _containers(stack)))
    cpus.require({name: stack.lab.cpus(name) for name in ("SERVER_CPUS", "LOAD_CPUS")}, cpus.available())
    leftovers.clear_before_a_run(stack.listener.message)
    return list(_told(stack, _processes(stack)))


def check_up_in_containers(stack: Stack) -> list[Checkup]:
    """The same in containers of Compose, which are started for it and removed. One that does not start is a finding.

    Raises as `compose.run_inside`, but for that.
    """
    found: list[Checkup] = []
    while stack.servers:
        try:
            ended = compose.run_inside(stack)
        except ServerError as error:
            failed = next((server for server in stack.servers if server.name == error.server), None)
            if failed is None:
                raise
            found.append(_in_trouble(stack, failed, error))
            stack.listener.checked_up(found[-1])
            stack = _without(stack, failed)
            continue
        if ended.trouble:
            raise ended.trouble
        return [*found, *ended.checkups]
    return found


def _without(stack: Stack, failed: Server) -> Stack:
    servers = [server for server in stack.servers if server is not failed]
    kept = tuple(text for text in stack.request.variants if variants.parse(text).name != failed.name)
    request = stack.request.but(servers=tuple(server.name for server in servers), variants=kept)
    return replace(stack, servers=servers, request=request)


def _told(stack: Stack, checkups: Iterator[Checkup]) -> Iterator[Checkup]:
    for checkup in checkups:
        stack.listener.checked_up(checkup)
        yield checkup


def _processes(stack: Stack) -> Iterator[Checkup]:
    """Each server by itself: what one does to the machine, another does not meet."""
    asked = _mix_of(stack)
    for server in stack.servers:
        patience_s, needs = stack.request.start_timeout_s, stack.request.needs
        engine = LocalEngine(stack.lab, [server], stack.stop, patience_s, stack.listener, needs)
        stack.listener.message(f"Asking {server.name} …")
        with engine:
            try:
                started = replace(_nothing(stack, server), start_s=_start(engine, server))
            except ServerError as error:
                yield _in_trouble(stack, server, error)
                continue
            asked = asked or _drafted(stack, engine.endpoint(server))
            yield _asked(stack, engine, server, asked, started)


def _containers(stack: Stack) -> Iterator[Checkup]:
    asked = _mix_of(stack)
    with next_to_runner(stack) as engine:
        engine.start()
        for server in stack.servers:
            stack.listener.message(f"Asking {server.name} …")
            asked = asked or _drafted(stack, engine.endpoint(server))
            found = _asked(stack, engine, server, asked, _nothing(stack, server))
            if engine.restarts and _seems_slow(found):
                engine.restart(server)
                found = _asked(stack, engine, server, asked, _nothing(stack, server))
            yield found


def _start(engine: LocalEngine, server: Server) -> float:
    """Start a server, and give the seconds until it was healthy. Raises ServerError.

    What seems to take long gets a second look, without nginx and the services that came first.
    """
    began = time.monotonic()
    engine.start()
    took_s = time.monotonic() - began
    if took_s <= SLOW_START_S:
        return took_s
    began = time.monotonic()
    engine.restart(server)
    return time.monotonic() - began


def _asked(stack: Stack, engine: Engine, server: Server, asked: Mix, so_far: Checkup) -> Checkup:
    at = engine.endpoint(server)
    visitor = Visitor(at.url, asked, _meeting(server), stack.stop)
    try:
        answers = visitor.ask_everything()
    except ServerError as error:
        return replace(so_far, trouble=(error.what, error.cause, error.next_command))
    reading = take_reading(at.exporter_url, None, at.run_id)
    return replace(
        so_far,
        address=urlsplit(at.url).netloc,
        answers=answers,
        memory_mb=reading.memory_bytes / 1e6 if reading else None,
    )


def _nothing(stack: Stack, server: Server) -> Checkup:
    limit = stack.lab.server_memory_mb
    command = " ".join(server.command)
    return Checkup(server.name, server.via, server.slots, command, address="", memory_limit_mb=limit)


def _in_trouble(stack: Stack, server: Server, error: ServerError) -> Checkup:
    return replace(_nothing(stack, server), trouble=(error.what, error.cause, error.next_command))


def _mix_of(stack: Stack) -> Mix | None:
    """What lab.toml says is asked of the app; None where it says nothing."""
    return mix.described(Path(stack.request.traffic)) if stack.request.traffic else None


def _drafted(stack: Stack, at: Endpoint) -> Mix:
    return mix.drafted(routes_at(at.url), stack.request.app or "app:app")


def _meeting(server: Server) -> int:
    """So many requests at once that two of them meet in one worker: one more than there are processes."""
    processes, times, _ = server.concurrency.partition("x")
    return int(processes) + 1 if times and processes.strip().isdecimal() else 2


def _seems_slow(checkup: Checkup) -> bool:
    """Whether an import took long, which it also does where all servers start at the same time."""
    return any(statement.imported.took_s > SLOW_START_S for statement in checkup.statements)
