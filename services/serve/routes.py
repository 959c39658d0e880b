"""Prints the routes of an app as JSON, for a first lab.toml: run by the Python of the app's environment.

Environment: LAB_APP, LAB_APP_DIR as for wsgi.py. An app without a `url_map` (that of another framework than Flask) has
none. What the app itself prints goes to standard error; the JSON is the last line.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

import app_loader

EXIT_NOT_SERVABLE = 3


def routes_of(app: Any) -> list[dict[str, Any]]:
    """Rule, methods and converters of each route that is not for static files."""
    rules: list[Any] = getattr(getattr(app, "url_map", None), "iter_rules", list)()
    return [
        {
            "rule": rule.rule,
            "methods": sorted(rule.methods or ()),
            "converters": {name: _kind(converter) for name, converter in rule._converters.items()},
        }
        for rule in rules
        if rule.endpoint != "static" and not rule.endpoint.endswith(".static")
    ]


def _kind(converter: object) -> str:
    """`IntegerConverter` → `int`."""
    return {"integer": "int", "unicode": "string"}.get(name := type(converter).__name__.lower()[:-9], name)


if __name__ == "__main__":
    try:
        with contextlib.redirect_stdout(sys.stderr):
            loaded = app_loader.load(os.environ.get("LAB_APP") or "app:app", os.environ.get("LAB_APP_DIR") or "")
            found = routes_of(loaded)
    except app_loader.NotServable as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_NOT_SERVABLE)
    print(json.dumps(found))
