"""A server of the lab: one way to serve the app."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wsgilab.model import words
from wsgilab.model.manifest import Manifest

PYTHONPATH = "PYTHONPATH"
OF_SERVERS = re.compile(r"LAB_(?!APP)|(GUNICORN|UWSGI|WAITRESS|GRANIAN|FLASK|PYTHON)")
"""Variables that servers read, by how their names begin; all others are the app's."""


@dataclass(frozen=True)
class App:
    """An app of its own for one server, instead of the one that all of a run share: another revision of it."""

    folder: str
    """Where it is imported from on this machine; an absolute path."""
    environment: str | None = None
    """The virtual environment that has what it requires, the servers and the middleware. None: the lab's."""
    image: str | None = None
    """The same as a container image. None: the lab's."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What it finds in its environment besides what servers need; never saved."""
    revision: str | None = None
    """Which one it is, in words. None: that of the working tree."""


@dataclass(frozen=True)
class Server:
    """One way to serve the app, as compose.yaml defines it."""

    name: str
    pattern: str
    """What the lesson calls it: the row's title in a report."""
    concurrency: str
    """How many requests it handles at once, as a person would write it: `4 x 2`, `unbounded`."""
    slots: int | None
    """The same as a number; None where nothing bounds it."""
    via: str | None
    """The proxy in front of it, or None."""
    url: str
    """Where the lab's own network reaches it."""
    exporter_url: str
    default: bool
    """Measured when no --servers is given."""
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port_variable: str
    """The .env variable that holds its published port; empty for a variant."""
    port: int
    variant_of: str | None = None
    """The server of compose.yaml that this one is, but for some settings."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Those settings."""
    colour: str | None = None
    """In every chart, `#RRGGBB`; None where it takes what is left, as a variant does."""
    marker: str | None = None
    """The shape of its points: `circle`, `square`, `diamond`, `triangle`, `triangle-down`, `plus`."""
    app: App | None = None
    """What it serves, where that is not what the others do."""


@dataclass(frozen=True)
class ServerFacts:
    """What analysis must know about a server: as much as manifest.json keeps."""

    name: str
    pattern: str
    concurrency: str
    slots: int | None
    via: str | None
    variant_of: str | None = None
    app: str = ""
    """What tells its app from those of the other servers; nothing to read."""

    @classmethod
    def of(cls, server: Server) -> ServerFacts:
        """Those of a server that is going to be measured."""
        return cls(server.name, server.pattern, server.concurrency, server.slots, server.via, server.variant_of)

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> tuple[ServerFacts, ...]:
        """The servers that a manifest names, in its order; what it does not say about one stays unknown."""
        return tuple(
            cls(
                entry.name,
                entry.pattern or entry.name,
                entry.concurrency or words.UNKNOWN,
                entry.slots,
                entry.via,
                entry.variant_of,
                app_of(entry.environment) if entry.environment else "",
            )
            for entry in manifest.servers
        )


def given_to(servers: Iterable[Server]) -> dict[str, str]:
    """The variables that somebody gave the apps of these servers; their values are told nobody."""
    return {name: value for server in servers if server.app for name, value in server.app.variables.items()}


def import_path(environment: Mapping[str, str], told: Mapping[str, str], folder: str) -> dict[str, str]:
    """PYTHONPATH for a server whose app is told one, too: the server's own first; nothing where the app is told none.

    `folder`: of the app, which relative entries are told from.
    """
    if PYTHONPATH not in told:
        return {}
    entries = (entry if entry[0] == "/" else f"{folder}/{entry}" for entry in told[PYTHONPATH].split(":") if entry)
    return {PYTHONPATH: ":".join([environment[PYTHONPATH], *entries])}


def app_of(environment: Mapping[str, object], own: App | None = None) -> str:
    """What tells an app from others, and one app that is told different things: a server's variables, but its own.

    Nothing to read. `own`: where the app is not the one that all of a run share.
    """
    told = sorted((name, value) for name, value in environment.items() if not OF_SERVERS.match(name))
    return repr((told, own))
