"""A run and the Prometheus that records it, which it needs for nothing: what was missed is said, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from wsgilab.engines import Engine
from wsgilab.engines.stack import Stack
from wsgilab.errors import MissingError, to_paste
from wsgilab.measure.recorder import Recorder
from wsgilab.measure.telemetry import Telemetry


@contextmanager
def recorded(telemetry: Telemetry, recorder: Recorder | None, engine: Engine, stack: Stack) -> Iterator[None]:
    """While the block lasts, Prometheus records the run, if there is one. Says what it missed."""
    with ExitStack() as entered:
        if recorder:
            entered.enter_context(recorder)
            endpoints = {server.name: (server, engine.endpoint(server)) for server in engine.servers}
            entered.enter_context(recorder.watching(endpoints, stack.stop))
        entered.enter_context(telemetry)
        yield
    missed = (recorder and recorder.lost) or telemetry.lost
    if missed:
        stack.listener.warning(
            MissingError(
                f"Prometheus did not record all of the run ({missed}). The dashboards lack a part of it; the "
                "verdict is complete, since it needs no Prometheus.",
                "it was stopped, was killed, or has no room on its disk",
                _log(recorder, engine),
            )
        )


def _log(recorder: Recorder | None, engine: Engine) -> str:
    """The command that shows what Prometheus wrote, or where in a cluster it may be."""
    if recorder:
        return to_paste("tail", recorder.log)
    in_cluster = engine.name == "kubernetes"
    return "kubectl get prometheus --all-namespaces" if in_cluster else "docker compose logs prometheus"
