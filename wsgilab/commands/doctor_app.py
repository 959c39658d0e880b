"""`./lab doctor --app-dir DIR`: what an app does differently under different servers, before any load."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from wsgilab import api
from wsgilab.commands import environment
from wsgilab.commands.console import console
from wsgilab.commands.progress import Progress
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import UsageError
from wsgilab.machine import leftovers
from wsgilab.model.finding import Finding

NAMES_AN_APP = ("app_dir", "app", "requirements")


def is_asked_for(asked: Mapping[str, Any]) -> bool:
    """Whether options name an app. Raises UsageError where they only say how to serve one."""
    if any(asked[name] for name in NAMES_AN_APP):
        return True
    if any(value for name, value in asked.items() if name != "engine"):  # which a variable may say for all commands
        cause = "these options are for an app, and --app-dir, --app or --requirement says which"
        raise UsageError("No app is named.", cause, "./lab doctor --app-dir .")
    return False


def examine(asked: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Every finding about the app. Raises LabError where it could not be asked at all."""
    request = environment.request("doctor", asked)
    leftovers.adopt()
    with stop_on_signals() as stop, Progress(console(sys.stderr)) as progress:
        return api.check_up(request, progress, stop)
