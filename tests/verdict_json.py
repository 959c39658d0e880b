"""verdict.json against docs/verdict.schema.json, which is the promise to programs that read it."""

from __future__ import annotations

import copy
import json
from typing import Any

from jsonschema import Draft202012Validator
from support import ROOT

PROMISED = json.loads((ROOT / "docs/verdict.schema.json").read_text(encoding="utf-8"))


def _closed(schema: Any) -> Any:
    """The same schema without room for keys that it does not name: a reader allows them, the lab has none to spare."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {key: _closed(value) for key, value in schema.items()}
    return {**inside, "additionalProperties": False} if "properties" in schema and "required" in schema else inside


VALIDATOR = Draft202012Validator(_closed(copy.deepcopy(PROMISED)))


def faults(verdict: Any) -> list[str]:
    """What is wrong with it, and where."""
    return [f"{error.json_path}: {error.message:.200}" for error in VALIDATOR.iter_errors(verdict)]
