"""docs/verdict.schema.json: what verdict.json looks like, for programs that read it.

    .venv/bin/python -m wsgilab.results.schema

writes it anew, from the records that verdict.json is written from and the table of metrics.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from typing import Any

import msgspec

from wsgilab.lab import ROOT
from wsgilab.model import cause, conditions, interval, request_row, verdict, window_row
from wsgilab.model.metrics import Metric, Place, shown
from wsgilab.model.verdict import KEYS, VERDICT_SCHEMA, Verdict

PATH = ROOT / "docs/verdict.schema.json"
REFERENCE = "#/$defs/{name}"
FIGURE: dict[str, Any] = {"anyOf": [{"$ref": "#/$defs/Interval"}, {"type": "null"}]}
FIGURE_OF_WINDOW: dict[str, Any] = {
    "description": "[value, censored]; null where it was not or could not be measured.",
    "anyOf": [
        {"type": "array", "prefixItems": [{"type": "number"}, {"type": "boolean"}], "minItems": 2, "items": False},
        {"type": "null"},
    ],
}
OPTIONAL = {"Interval": "censored", "Claim": "needs"}
"""The key of a record that is left out where it says nothing."""
MOMENT: dict[str, Any] = {
    "description": "[seconds since the first measured request, answers per second, requests in flight or queued]",
    "type": "array",
    "items": {"type": "number"},
    "minItems": 3,
    "maxItems": 3,
}


def verdict_schema() -> dict[str, Any]:
    """The JSON Schema of verdict.json. Keys may be added in later versions; none is taken away."""
    _, found = msgspec.json.schema_components([Verdict], ref_template=REFERENCE)
    records = {name: _as_written(name, record) for name, record in found.items() if name != "Moment"}
    whole = records.pop("Verdict")
    whole["properties"]["schema"] = {"const": VERDICT_SCHEMA}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "title": "verdict.json of WSGI Lab",
        "$defs": records,
    }


def text() -> str:
    """The file."""
    return re.sub(r"\bNone\b", "null", json.dumps(verdict_schema(), indent=2, ensure_ascii=False)) + "\n"


def _as_written(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """A record's schema, changed as its `to_json` changes the record."""
    if record.get("type") != "object":
        return record
    docs = _field_docs(name)
    properties: dict[str, Any] = {}
    for field, schema in record["properties"].items():
        plain = {key: value for key, value in schema.items() if key != "default"}
        properties[KEYS.get(field, field)] = {"description": docs[field], **plain} if field in docs else plain
    required = list(properties)
    if name in OPTIONAL:
        required.remove(OPTIONAL[name])
    elif name == "LoadRow":
        del properties["figures"]
        properties |= _figures(Place.LOAD, FIGURE)
        required = list(properties)
    elif name == "RequestRow":
        del properties["figures"]
        properties |= _figures(Place.REQUEST, FIGURE)
        required = list(properties)
    elif name == "WindowRow":
        figures = _figures(Place.WINDOW, FIGURE_OF_WINDOW)
        properties["figures"] = {"type": "object", "properties": figures, "required": list(figures)}
        properties["moments"] = {"type": "array", "items": MOMENT}
    elif name == "ServerRow":
        limit = properties["binds"]["anyOf"][0]
        properties["binds"] = {**properties["binds"], "anyOf": [limit, {"const": ""}]}
    return {**record, "properties": properties, "required": required}


def _figures(place: Place, schema: dict[str, Any]) -> dict[str, Any]:
    return {metric.key: {**schema, "description": _explained(metric)} for metric in shown(place)}


def _explained(metric: Metric) -> str:
    return f"{metric.label}: {metric.explanation}. Unit: {metric.unit or 'none, a share'}."


def _field_docs(name: str) -> dict[str, str]:
    """What stands below each field of a record."""
    kind = next(
        found
        for module in (verdict, window_row, request_row, interval, cause, conditions)
        if (found := vars(module).get(name))
    )
    (record,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(record, ast.ClassDef)
    docs = {}
    for field, below in zip(record.body, record.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            docs[field.target.id] = " ".join(str(ast.literal_eval(below.value)).split())
    return docs


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
