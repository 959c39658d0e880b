"""Which engine measures: the one that was asked for, or whichever this machine has."""

from __future__ import annotations

from wsgilab.engines import compose, shipping
from wsgilab.engines.stack import Stack
from wsgilab.errors import MissingError, UsageError
from wsgilab.model.hosts import Hosts
from wsgilab.model.needs import Needs

WHAT_THEY_ARE = {"local": "processes of this machine", "compose": "containers of another one's engine"}


def choose(stack: Stack) -> tuple[str, str]:
    """(one of ENGINES but `auto`; why). Pulls or builds images. Raises MissingError where it is not there."""
    asked = stack.request.engine
    if together := stack.request.together:
        return _for_hosts(stack, together)
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


def _for_hosts(stack: Stack, together: Hosts) -> tuple[str, str]:
    """What the servers' host says: processes of this machine, or containers of another one's engine."""
    asked, kind = stack.request.engine, "compose" if together.elsewhere else "local"
    if asked not in ("auto", kind):
        what = "Which engine has the servers is said by their host."
        cause = f"--engine {asked} conflicts with --hosts, by which they are {WHAT_THEY_ARE[kind]}"
        raise UsageError(what, cause, f"./lab run {together.options} --engine {kind}")
    if not together.elsewhere:
        return kind, "local processes, whose load comes from other machines"
    shipping.supply(stack, together)
    return kind, f"containers of {together.servers.name}'s Docker engine, whose load comes from other machines"


def _only_local(needs: Needs) -> str | None:
    """Why the app's services cannot be containers, where they can be processes."""
    commands_only = [service.name for service in needs.services if service.command and not service.compose]
    return f"lab.toml describes {commands_only[0]} by a command" if commands_only else None
