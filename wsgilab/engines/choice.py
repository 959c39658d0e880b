"""Which engine measures: the one that was asked for, or whichever this machine has."""

from __future__ import annotations

from wsgilab.engines import compose
from wsgilab.engines.stack import Stack
from wsgilab.errors import MissingError, UsageError
from wsgilab.model.needs import Needs


def choose(stack: Stack) -> tuple[str, str]:
    """(one of ENGINES but `auto`; why). Pulls or builds images. Raises MissingError where it is not there."""
    asked = stack.request.engine
    if stack.request.hosts:
        return _for_hosts(asked)
    if asked == "attached":
        return asked, "the runner is in the Compose network"
    if asked == "kubernetes":
        return asked, "the runner is a pod next to the servers"
    if asked == "local":
        return asked, "asked for"
    if asked == "auto" and stack.request.command == "vitals":
        return "local", "a browser of this machine clicks, next to local processes"
    if asked == "compose":
        compose.require()
    elif reason := _only_local(stack.request.needs) or compose.why_not():
        return "local", f"local processes, because {reason}"
    reason = compose.prepare_images(stack)
    if reason is None:
        return "compose", "a Docker engine answers and its images are there"
    if asked == "compose":
        raise MissingError(
            f"--engine compose was asked for, but {reason}.",
            "no image registry can be reached",
            "./lab run --engine local",
        )
    return "local", f"local processes, because {reason}"


def _for_hosts(asked: str) -> tuple[str, str]:
    """Containers publish their ports by the rules of Compose; servers for other machines are processes."""
    if asked not in ("auto", "local"):
        what = "Servers whose load comes from other machines run as local processes."
        raise UsageError(
            what, f"--engine {asked} conflicts with --hosts", "./lab run --hosts hosts.toml --engine local"
        )
    return "local", "local processes, whose load comes from other machines"


def _only_local(needs: Needs) -> str | None:
    """Why the app's services cannot be containers, where they can be processes."""
    commands_only = [service.name for service in needs.services if service.command and not service.compose]
    return f"lab.toml describes {commands_only[0]} by a command" if commands_only else None
