"""What a panel of DevTools says, read from its words, and whether a picture of it shows what its caption says. Pure."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_BYTES = 80_000
PNG = b"\x89PNG\r\n\x1a\n"
UNITS_MS = {"μs": 0.001, "µs": 0.001, "ms": 1.0, "s": 1_000.0, "min": 60_000.0}
DURATION = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*(μs|µs|ms|s|min)\b")

WAITING, CONNECTING = "Waiting for server response", "Initial connection"
PHASES = ("Queueing", "Stalled", CONNECTING, "Request sent", WAITING, "Content download")


class NotTaken(Exception):
    """A picture could not be taken, or would not show what its caption says."""


@dataclass(frozen=True)
class Row:
    """A request in the list of the Network panel."""

    name: str
    connection: str
    time_ms: float


def milliseconds(text: str) -> float:
    """The duration in `21.4 ms` or `1.02 s`. Raises NotTaken where there is none."""
    found = DURATION.search(text)
    if not found:
        raise NotTaken(f"'{text}' has no duration")
    return float(found[1].replace(",", "")) * UNITS_MS[found[2]]


def phases(lines: Sequence[Sequence[str]]) -> dict[str, float]:
    """By its name, how many ms each phase took, from the lines of the Timing tab: (name, what stands last in it)."""
    return {name: milliseconds(last) for name, last in lines if name in PHASES and DURATION.search(last)}


def felt(lines: Sequence[str]) -> dict[str, float]:
    """By the id of the button, how many ms an interaction took, from the list of them in the Performance panel."""
    found = {}
    for line in lines:
        button, duration = re.search(r"button\s*#\s*([\w-]+)", line), DURATION.search(line)
        if button and duration:
            found[button[1]] = milliseconds(duration[0])
    return found


def require_share(found: Mapping[str, float], phase: str, at_least: float) -> None:
    """Raise NotTaken unless `phase` is at least this share of the time of all phases."""
    whole = sum(found.values())
    if phase not in found or found[phase] < at_least * whole:
        raise NotTaken(f"'{phase}' is not {at_least:.0%} of {whole:.0f} ms: {dict(found)}")


def require_between(found: Mapping[str, float], phase: str, low_ms: float, high_ms: float) -> None:
    """Raise NotTaken unless `phase` took so long."""
    if not low_ms <= found.get(phase, -1.0) <= high_ms:
        raise NotTaken(f"'{phase}' is not between {low_ms:g} and {high_ms:g} ms: {dict(found)}")


def require_turns(rows: Sequence[Row], each_ms: float, at_once: int, connections: int) -> None:
    """Raise NotTaken unless the server answered so many of the requests in its first turn, over so many connections."""
    first_turn = sum(row.time_ms < 1.5 * each_ms for row in rows)
    used = len({row.connection for row in rows})
    if (first_turn, used) != (at_once, connections):
        raise NotTaken(f"{first_turn} at once and {used} connections, not {at_once} and {connections}: {rows}")


def require_picture(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels. Raises NotTaken where it is none, or larger than a page should load."""
    if not data.startswith(PNG):
        raise NotTaken("it is no PNG")
    if len(data) > MOST_BYTES:
        raise NotTaken(f"it has {len(data):,} bytes, more than {MOST_BYTES:,}")
    width, height = struct.unpack(">II", data[16:24])
    return width, height
