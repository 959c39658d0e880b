"""What of a saved run can be used: nothing else gets into the analysis, so nothing can trip it up. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import msgspec

from wsgilab.errors import UsageError
from wsgilab.model import slo
from wsgilab.model.controls import all_visible
from wsgilab.model.manifest import MANIFEST_SCHEMA, Manifest, ServerEntry
from wsgilab.model.window import WINDOW_SCHEMA, LoadResult, RequestResult, Window

LARGEST = 1e15
"""No time, count or size is larger; a sum of such figures is still a number."""
SLOWEST_RPS, SHORTEST_S = 1e-6, 1e-3
"""No window has a lower rate or is shorter: what is divided by them is still a number."""
NEVER_NEGATIVE = ("scheduled", "sent", "ok")
NEWEST = 1_000_000
"""No schema will ever have a larger number; a sentence about it stays short."""
UNFINISHED = "the run did not end: it was killed, or is still under way"


class OtherVersion(ValueError):
    """A record with a schema that this version does not know."""


class _Versioned(msgspec.Struct):
    schema: Annotated[int, msgspec.Meta(ge=0, le=NEWEST)]


_version = msgspec.json.Decoder(_Versioned)
_window = msgspec.json.Decoder(Window)
_manifest_types = get_type_hints(Manifest)


def window(line: bytes) -> Window:
    """One line of windows.jsonl; keys that this version does not know are ignored.

    Raises OtherVersion, or ValueError or RecursionError where it is damaged.
    """
    schema = _version.decode(line).schema
    if schema != WINDOW_SCHEMA:
        raise OtherVersion(f"schema {schema}, this version reads {WINDOW_SCHEMA}")
    found = _window.decode(line)
    if not all(_is_usable(number) for number in _numbers(found)):
        raise ValueError("a number that no window has")
    plan = found.plan
    if not (plan.rate_rps >= SLOWEST_RPS and plan.duration_s >= SHORTEST_S and found.took_s >= 0):
        raise ValueError("a window without a rate or a length")
    if plan.timeout_s < 0 or plan.grace_s < 0 or not _holds_together(found.load):
        raise ValueError("a time or a count below 0, or a ladder beyond its ends")
    return found


def manifest(data: Mapping[str, Any]) -> tuple[Manifest, list[str]]:
    """(what can be used of manifest.json, a sentence for each part that cannot)."""
    schema = data.get("schema", MANIFEST_SCHEMA)
    if schema != MANIFEST_SCHEMA:
        version = f" (schema {schema})" if isinstance(schema, int) and 0 <= schema <= NEWEST else ""
        return Manifest(), [f"written by another version of the lab{version}: not used"]
    usable: dict[str, Any] = {}
    faults: list[str] = []
    for key in (field.name for field in fields(Manifest) if field.name in data):
        if key == "servers":
            usable[key], more = _servers(data[key])
            faults += more
        elif key == "finished_at" and data[key] is None:
            faults.append(UNFINISHED)
        elif key == "prometheus" and data[key] is None:
            continue
        else:
            try:
                usable[key] = converted(data[key], _manifest_types[key], any_number=key == "seed")
            except (ValueError, RecursionError):
                faults.append(f"{key} is damaged, and not used")
    if "slo" in usable and (fault := _unreadable(usable["slo"])):
        faults.append(fault)
        del usable["slo"]
    return all_visible(Manifest(**usable)), faults


def _servers(data: object) -> tuple[tuple[ServerEntry, ...], list[str]]:
    if not isinstance(data, list):
        return (), ["servers is damaged, and not used"]
    usable: list[ServerEntry] = []
    faults: list[str] = []
    for number, entry in enumerate(data, 1):
        try:
            found = converted(entry, ServerEntry)
            if found.name in (other.name for other in usable):
                raise ValueError("named twice")
            usable.append(found)
        except (ValueError, RecursionError):
            faults.append(f"server {number} is damaged, and not used")
    return tuple(usable), faults


def converted(value: object, kind: Any, *, any_number: bool = False) -> Any:
    """A value of JSON as this type. Raises ValueError where it is none, or holds a number that is beyond all sense."""
    if value is None:
        raise ValueError("nothing")
    found = msgspec.convert(value, kind)
    if not any_number and not all(_is_usable(number) for number in _numbers(found)):
        raise ValueError("a number that nothing has")
    return found


def _unreadable(text: str) -> str | None:
    try:
        slo.parse(text)
    except UsageError as error:
        return f"its SLO cannot be read, and the usual one is used ({error.what})"
    return None


def _holds_together(load: LoadResult | None) -> bool:
    if load is None:
        return True
    counted: list[LoadResult | RequestResult] = [load, *load.by_request.values()]
    counts = load.ok_in_time >= 0 and all(getattr(one, name) >= 0 for one in counted for name in NEVER_NEGATIVE)
    return counts and all(0 <= float(rung) <= 100 for one in counted for rung in one.ladder_ms)


def _is_usable(number: float) -> bool:
    return abs(number) <= LARGEST  # neither is NaN


def _numbers(value: object) -> Iterator[float]:
    """Every number in a record."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _numbers(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _numbers(getattr(value, field.name))
