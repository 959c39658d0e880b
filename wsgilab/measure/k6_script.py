"""A k6 script of the user's own, looked at before anything starts."""

from __future__ import annotations

from pathlib import Path

from wsgilab.engines import Endpoint
from wsgilab.errors import UsageError, to_edit
from wsgilab.lab.workloads import SCRIPT
from wsgilab.machine import processes
from wsgilab.machine.environment import inherited
from wsgilab.measure.k6_command import K6, environment, inspection, message_in
from wsgilab.model.window import WindowPlan

PLAN = WindowPlan("none", SCRIPT, 1.0, 1, 0, 0.0, 1.0, 1.0, 1.0)
NOWHERE = Endpoint("http://127.0.0.1:9", "", None)
"""Nothing is sent: k6 runs what stands outside of functions, and no more."""


def require_loads(k6: K6) -> None:
    """Raise UsageError, with k6's own reason, where the user's script cannot be loaded."""
    script = k6.traffic.script
    if script is None:
        return
    variables = environment(inherited(), None)
    done = processes.ask(inspection(k6, PLAN, NOWHERE, Path("/nowhere")), environment=variables)
    if not done.ok:
        reason = message_in(done.err) or done.last_line
        raise UsageError(
            f"{script} cannot be used as a k6 script: {reason}.",
            "its syntax, a file that it imports, or its default function, which is one tick of the schedule",
            to_edit(script),
        )
