"""The engine of a measurement that this process carries out itself."""

from __future__ import annotations

from wsgilab.engines import Engine
from wsgilab.engines.cluster import next_to_runner
from wsgilab.engines.host_servers import HostServers
from wsgilab.engines.local import LocalEngine
from wsgilab.engines.one_by_one import OneByOne
from wsgilab.engines.one_there import OneThere
from wsgilab.engines.stack import Stack
from wsgilab.machine import cpus
from wsgilab.model.request import ATTACHED


def engine_for(stack: Stack) -> Engine:
    """Servers of this machine or another one, or those that somebody else has started.

    Raises MissingError where CPUs are missing here.
    """
    request, lab = stack.request, stack.lab
    if request.engine in ATTACHED:
        return next_to_runner(stack)
    if elsewhere := stack.request.elsewhere:
        return (OneThere if request.command == "tune" else HostServers)(stack, elsewhere)
    cpus.require({name: lab.cpus(name) for name in ("SERVER_CPUS", "LOAD_CPUS")}, cpus.available())
    kind = OneByOne if request.command == "tune" else LocalEngine
    return kind(lab, stack.servers, stack.stop, request.start_timeout_s, stack.listener, request.needs)
