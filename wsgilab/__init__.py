"""The runner of WSGI Lab: drives load through the servers, and turns it into a verdict.

Scripts need no more than `from wsgilab import run, capacity, tune, gate, vitals, check_up, report, Request`, as
docs/python.md shows.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgilab.api import (
        Listener,
        Outline,
        Request,
        Result,
        Stop,
        Together,
        Verdict,
        VitalsResult,
        Window,
        WindowPlan,
        capacity,
        check_up,
        gate,
        report,
        report_side_by_side,
        run,
        side_by_side,
        tune,
        vitals,
    )

__version__ = "0.1.0"
__all__ = [
    "Listener",
    "Outline",
    "Request",
    "Result",
    "Stop",
    "Together",
    "Verdict",
    "VitalsResult",
    "Window",
    "WindowPlan",
    "capacity",
    "check_up",
    "gate",
    "report",
    "report_side_by_side",
    "run",
    "side_by_side",
    "tune",
    "vitals",
]


def __getattr__(name: str) -> Any:
    """What a script asks for, loaded when it does: `./lab --help` needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module 'wsgilab' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module("wsgilab.api"), name)
