"""Connections and queues: limits in front of the slots."""

from __future__ import annotations

from wsgilab.analysis.causes.evidence import Evidence
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind

MOST = {"waitress": (100, "connection_limit")}
"""Connections that a server takes at the same time unless told otherwise, and the setting."""
REACHED = 0.95


def all_taken(evidence: Evidence) -> Cause | None:
    """The server accepts no connection until another one ends."""
    limit, setting = MOST.get(evidence.program, (0, ""))
    seen = max((inside.connections_max or 0 for inside in evidence.insides), default=0)
    if not limit or seen < REACHED * limit:
        return None
    return Cause(
        Kind.QUEUE, f"{evidence.program} holds {limit} connections at most ({setting}), and all of them were taken"
    )


def queue_was_full(evidence: Evidence) -> Cause | None:
    """The kernel refused connections for a full listen queue."""
    refused = sum(usage.listen_overflows for usage in evidence.usages)
    if not refused:
        return None
    enough = evidence.share(refused) >= evidence.tolerated
    return Cause(
        Kind.QUEUE, f"{words.counted(int(refused), 'connection attempt')} found the listen queue full", explains=enough
    )
