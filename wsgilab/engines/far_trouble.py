"""Why something failed on another machine, by what its engine said."""

from __future__ import annotations

from wsgilab.engines import far_engines
from wsgilab.errors import MissingError, to_paste
from wsgilab.model.hosts import Host

INFO, ROOM = ("info",), ("system", "df")
WHY = {
    "port is already allocated": ("something else there listens on that port; .env has another one for a server", INFO),
    "address already in use": ("something else there listens on that port; .env has another one for a server", INFO),
    "cannot assign requested address": ("the address in hosts.toml is none of that machine's", INFO),
    "no space left": ("its disk is full", ROOM),
    "exec format error": ("the image is for another kind of processor", INFO),
}
"""What Docker says → (why something failed there, the docker command that shows more)."""
UNKNOWN = ("its disk, its engine, or the link to it", INFO)


def trouble(host: Host, what: str, said: str) -> MissingError:
    """The error for something that failed on another machine. `said`: by its engine."""
    cause, shown_by = next((why for words, why in WHY.items() if words in said.lower()), UNKNOWN)
    return MissingError(f"{host.name}: {what} ({said}).", cause, to_paste(*far_engines.docker(host), *shown_by))
