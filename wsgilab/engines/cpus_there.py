"""Whose the CPUs of the servers' machine are: its servers' first, those of the app's services, and the others."""

from __future__ import annotations

from wsgilab.engines import far_engines
from wsgilab.engines.far_engines import EngineFacts
from wsgilab.engines.stack import Stack
from wsgilab.errors import MissingError, UsageError
from wsgilab.machine.cpus import listed
from wsgilab.model.hosts import Hosts


def besides_servers(stack: Stack, engine: EngineFacts, together: Hosts) -> frozenset[int]:
    """Those that servers leave. Raises MissingError where they want some that are not there."""
    there, wanted = _of(engine), stack.lab.cpus("SERVER_CPUS")
    if wanted <= there:
        return there - wanted
    raise MissingError(
        f"The servers are to have CPU {listed(wanted)}, and {together.servers.name} has CPU {listed(there)}.",
        "SERVER_CPUS is meant for another machine; `cpus` of the servers' host says which of its own they have",
        together.doctor,
    )


def require_for_services(stack: Stack, together: Hosts) -> None:
    """Raise UsageError where nothing says which of them the app's services have, MissingError for some not there."""
    if not stack.request.needs.services:
        return
    lab, name, there = stack.lab, together.servers.name, _of(far_engines.fit(together.servers))
    anew = f"SERVICE_CPUS={listed(there - lab.cpus('SERVER_CPUS') or there)} {stack.again}"
    if not lab.variables.get("SERVICE_CPUS"):
        cause = "LOAD_CPUS, which they have otherwise, are no CPUs of that machine"
        raise UsageError(f"Nothing says which CPUs of {name} the app's services have.", cause, anew)
    if not lab.service_cpus <= there:
        what = f"SERVICE_CPUS={listed(lab.service_cpus)}, but {name} has CPU {listed(there)}."
        raise MissingError(what, "it is meant for another machine", anew)


def _of(engine: EngineFacts) -> frozenset[int]:
    return frozenset(range(engine.cpus))
