"""uWSGI's stats socket: it sends one JSON document to every client that connects."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receive import receive_all

_TIMEOUT_S = 0.2


@dataclass(frozen=True)
class UwsgiStats:
    """Workers and the queue as they are now; exceptions, harakiris and errors since uWSGI started."""

    pids: dict[int, int]
    """Of the workers that live, as far as uWSGI's master knows, by the worker's own number."""
    cheap: frozenset[int]
    """The numbers of the workers that it does without for now (option `cheaper`)."""
    workers_busy: int
    exceptions: int
    harakiris: int
    listen_queue: int
    """Of TCP listeners; 0 for unix sockets, whatever waits there."""
    listen_queue_errors: int
    slots: int = 0
    """Requests at once that its workers are set for, those that it does without for now too; 0: it does not say."""


def read(path: Path) -> UwsgiStats:
    """What uWSGI says at this moment. Raises OSError (refused, late) or ValueError (not what uWSGI sends)."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(str(path))
        text = receive_all(connection, _TIMEOUT_S)
    try:
        return parse(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not uWSGI's stats: {error}") from error


def parse(document: Any) -> UwsgiStats:
    """Sums over the workers of a stats document. Raises ValueError where something is missing or odd in it."""
    workers = _field(document, "workers", list)
    return UwsgiStats(
        pids={_field(worker, "id", int): pid for worker in workers if (pid := _field(worker, "pid", int)) > 0},
        cheap=frozenset(_field(worker, "id", int) for worker in workers if _field(worker, "status", str) == "cheap"),
        workers_busy=sum(_field(worker, "status", str) == "busy" for worker in workers),
        exceptions=sum(_field(worker, "exceptions", int) for worker in workers),
        harakiris=sum(_field(worker, "harakiri_count", int) for worker in workers),
        listen_queue=_field(document, "listen_queue", int),
        listen_queue_errors=_field(document, "listen_queue_errors", int),
        slots=sum(map(_cores, workers)),
    )


def _cores(worker: Any) -> int:
    """A core is a slot. Option `stats-no-cores` leaves them out."""
    cores = worker.get("cores")
    return len(cores) if isinstance(cores, list) else 0


def _field(record: Any, name: str, kind: type) -> Any:
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kind):
        raise ValueError(f"no {name} among them, or one that is not {kind.__name__}")
    return value
