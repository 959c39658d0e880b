"""What of a saved run can be used: nothing else gets into the analysis, so nothing can trip it up. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import NoneType
from typing import Any, NoReturn

from wsgilab.errors import UsageError
from wsgilab.model import slo
from wsgilab.model.manifest import MANIFEST_SCHEMA
from wsgilab.model.window import Inside, LoadResult, Sample, Usage, Window, WindowPlan

LARGEST = 1e15
"""No time, count or size of a window is larger; a sum of such figures is still a number."""
FIELD_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int, float),
    "float": (int, float),
    "float | None": (int, float, NoneType),
    "int | None": (int, float, NoneType),
    "Inside | None": (Inside, NoneType),
    "Mapping[str, int]": (dict,),
    "Mapping[str, float]": (dict,),
}
"""What JSON may hold for a field with this annotation."""
NEVER_NEGATIVE = {"timeout_s", "grace_s", "scheduled", "sent", "ok", "ok_in_time"}
MANIFEST_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("command", "engine", "engine_why", "workload", "slo", "started_at", "finished_at"), (str,)),
    **dict.fromkeys(("rounds", "duration_s", "warmup_s", "timeout_s", "grace_s"), (int, float)),
    **dict.fromkeys(("host", "versions", "images", "limits", "cpu_sets", "search"), (dict,)),
    **dict.fromkeys(("servers", "rates_rps"), (list,)),
}
SERVER_TYPES: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "slots": (int, NoneType),
    "command": (str, list, NoneType),
    "environment": (dict, NoneType),
    **dict.fromkeys(("pattern", "concurrency", "via", "variant_of"), (str, NoneType)),
}


def window(line: bytes) -> Window:
    """One line of windows.jsonl. Raises ValueError, KeyError, TypeError or AttributeError where it is damaged."""
    found = Window.from_json(json.loads(line, parse_constant=_refuse))
    usage = found.usage
    inside = usage.inside if usage else None
    for part, kind in ((found.plan, WindowPlan), (found.load, LoadResult), (usage, Usage), (inside, Inside)):
        if part is not None:
            _check(part, kind)
    for sample in usage.samples if usage else ():
        _check(sample, Sample)
    for text in (found.died, found.void, *found.notes):
        if not isinstance(text, str | None):
            raise TypeError(text)
    if not (_fits(found.took_s, (int, float)) and found.took_s >= 0):
        raise TypeError("took_s")
    if not (found.plan.rate_rps > 0 and found.plan.duration_s > 0):
        raise ValueError("a window without a rate or a length")
    return found


def manifest(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """(what can be used of manifest.json, a sentence for each part that cannot)."""
    if data.get("schema", MANIFEST_SCHEMA) != MANIFEST_SCHEMA:
        return {}, [f"written by another version of the lab (schema {data['schema']}): not used"]
    usable = {key: value for key, value in data.items() if _fits(value, MANIFEST_TYPES.get(key))}
    faults = [f"{key} is damaged, and not used" for key in data if key not in usable]
    for key, values in (("search", usable.get("search", {}).values()), ("rates_rps", usable.get("rates_rps", ()))):
        if not all(_fits(value, (int, float)) for value in values):
            faults.append(f"{key} is damaged, and not used")
            del usable[key]
    if "slo" in usable and (fault := _unreadable(usable["slo"])):
        faults.append(fault)
        del usable["slo"]
    servers = usable.get("servers", [])
    usable |= {"servers": [entry for entry in servers if _is_server(entry)]} if "servers" in usable else {}
    faults += [f"server {number} is damaged, and not used" for number in _damaged(servers)]
    return usable, faults


def _unreadable(text: str) -> str | None:
    try:
        slo.parse(text)
    except UsageError as error:
        return f"its SLO cannot be read, and the usual one is used ({error.what})"
    return None


def _is_server(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and "name" in entry
        and all(_fits(value, SERVER_TYPES.get(key)) for key, value in entry.items())
    )


def _damaged(servers: list[Any]) -> Iterator[int]:
    return (number for number, entry in enumerate(servers, 1) if not _is_server(entry))


def _check(part: Any, kind: type[Any]) -> None:
    """Raises TypeError or ValueError where a field is not what its annotation says."""
    for each in fields(kind):
        value, expected = getattr(part, each.name), FIELD_TYPES.get(str(each.type))
        if not _fits(value, expected):
            raise TypeError(each.name)
        if each.name in NEVER_NEGATIVE and value < 0:
            raise ValueError(each.name)
        if expected == (dict,) and not all(_fits(item, (int, float)) for item in value.values()):
            raise TypeError(each.name)
        if each.name == "ladder_ms" and not all(0 <= float(rung) <= 100 for rung in value):
            raise ValueError(each.name)


def _fits(value: object, expected: tuple[type, ...] | None) -> bool:
    """Whether a value from JSON is of these types, and a number among them one that can be computed with."""
    if expected is None:
        return True
    if isinstance(value, bool):
        return bool in expected
    if isinstance(value, int | float) and not abs(value) <= LARGEST:  # NaN is not either
        return False
    return isinstance(value, expected)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
