"""What an app needs besides its code: services that run next to it, and a state in its own folder. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wsgilab.errors import to_edit

DEFAULT_TIMEOUT_S = 30.0
"""How long a service may take to get healthy."""
HOST, PORT, SCRATCH = PLACES = ("host", "port", "scratch")
PLACEHOLDER = re.compile(rf"(?<!\$)\{{({'|'.join(PLACES)})\}}")
"""`${port}` is the shell's."""


@dataclass(frozen=True)
class Health:
    """How a service says that it is there: by one of these. With none, by taking connections."""

    http: str | None = None
    """An address that answers with a status below 500."""
    command: str | None = None
    """A command that ends with 0."""
    timeout_s: float = DEFAULT_TIMEOUT_S


@dataclass(frozen=True)
class Service:
    """Something that an app talks to, which the lab starts before the servers. Texts hold {placeholders}."""

    name: str
    command: str | None = None
    """What starts it as a local process, for a shell."""
    compose: str | None = None
    """The Compose file that describes it as a container; an absolute path."""
    service: str | None = None
    """Its name in there; its own name where that is left out."""
    port: int | None = None
    """Where it listens: locally one that is free if this is None, in a container one that its Compose file exposes."""
    health: Health = field(default_factory=Health)
    export: Mapping[str, str] = field(default_factory=dict)
    """Variables that tell the app where it is. Values are kept out of all that is saved."""
    described_in: str = "lab.toml"
    """The file that says all this."""

    @property
    def edit(self) -> str:
        """The command that opens that file."""
        return to_edit(self.described_in)

    @property
    def container(self) -> str:
        """The name of its container, and of its host for the app there."""
        return self.service or self.name

    @property
    def about(self) -> str:
        """What it is, for a report."""
        return self.command or f"{self.container} of its Compose file"

    def exported(self, where: Mapping[str, str]) -> dict[str, str]:
        """The variables for the app, of a service that is at this place."""
        return {name: filled(value, where) for name, value in self.export.items()}

    def nameless(self) -> Service:
        """The same for whoever records it as a container: without what starts it here and what it tells."""
        return Service(self.name, service=self.service, port=self.port, export=dict.fromkeys(self.export, ""))


@dataclass(frozen=True)
class State:
    """What an app keeps in its folder: each server then has a copy of the folder, and the app may write there."""

    writes: tuple[str, ...] = ()
    """Files and folders that it writes; for people who read about it."""
    setup: str | None = None
    """What is done in each copy before its server starts, for a shell."""
    reset: str | None = None
    """What is done between the windows of a server, so that each finds the same."""

    @property
    def about(self) -> str:
        """What was done, for a report."""
        parts = ["a copy for each server"]
        parts += [f"the app writes {', '.join(self.writes)}"] if self.writes else []
        parts += [f"set up by `{self.setup}`"] if self.setup else []
        kept = "nothing is reset: what one window writes, the next one finds"
        return "; ".join([*parts, f"reset between windows by `{self.reset}`" if self.reset else kept])


def filled(text: str, where: Mapping[str, str], quote: Callable[[str], str] = str) -> str:
    """A text with its placeholders filled in. `quote`: for a text that a shell will read."""
    return PLACEHOLDER.sub(lambda found: quote(where.get(found[1], found[0])), text)


def for_shell(command: str, where: Mapping[str, str]) -> str:
    """A command with its placeholders filled in, quoted where a shell would take them apart."""
    return filled(command, where, shlex.quote)


@dataclass(frozen=True)
class Needs:
    """All that an app needs besides its code and its requirements."""

    services: tuple[Service, ...] = ()
    state: State | None = None

    @property
    def resets(self) -> bool:
        """Whether something is done between the windows of a server."""
        return self.state is not None and bool(self.state.reset)

    def nameless(self) -> Needs:
        """The same for whoever only records it, or asks somebody else to see to it."""
        return Needs(tuple(service.nameless() for service in self.services), self.state)


NOTHING = Needs()
