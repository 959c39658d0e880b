"""uWSGI's stats socket: it sends one JSON document to whoever connects."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT_S = 0.2


@dataclass(frozen=True)
class UwsgiStats:
    """Workers and the queue as they are now; exceptions, harakiris and errors since uWSGI started."""

    workers: int
    workers_busy: int
    exceptions: int
    harakiris: int
    listen_queue: int
    """Of TCP listeners; 0 for unix sockets, whatever waits there."""
    listen_queue_errors: int


def read(path: Path) -> UwsgiStats:
    """Raise OSError (refused, late) or ValueError (not what uWSGI sends)."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(str(path))
        chunks: list[bytes] = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return parse(json.loads(b"".join(chunks)))


def parse(document: dict[str, Any]) -> UwsgiStats:
    """Sums over the workers of a stats document. Raises ValueError where something is missing in it."""
    try:
        workers = document["workers"]
        return UwsgiStats(
            workers=sum(worker["pid"] > 0 for worker in workers),
            workers_busy=sum(worker["status"] == "busy" for worker in workers),
            exceptions=sum(worker["exceptions"] for worker in workers),
            harakiris=sum(worker["harakiri_count"] for worker in workers),
            listen_queue=document["listen_queue"],
            listen_queue_errors=document["listen_queue_errors"],
        )
    except KeyError as error:
        raise ValueError(f"no {error} in uWSGI's stats") from error
