"""A Prometheus as it should be, and a site that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hostile import Exchange, Hostile, hostile, ok
from shown import sources_of

from wsgilab.view.server import Site


def as_prometheus(exchange: Exchange) -> None:
    """One series for every query, two servers for every label."""
    at = urlsplit(exchange.target)
    parameters = parse_qs(at.query)
    data: Any = ["dev", "gunicorn"]
    if not at.path.startswith("/api/v1/label/"):
        instant = {"value": [float(parameters["time"][0]), "1"]} if "time" in parameters else {}
        samples = {} if instant else {"values": [[float(parameters["start"][0]), "1"]]}
        data = {"resultType": "any", "result": [{"metric": {"__name__": "x", "server": "dev"}, **instant, **samples}]}
    exchange.send(ok(json.dumps({"status": "success", "data": data}).encode()))


@pytest.fixture
def prometheus() -> Iterator[Hostile]:
    """A server that answers like a Prometheus until its `answer` is changed."""
    with hostile(as_prometheus) as server:
        yield server


@pytest.fixture
def site(prometheus: Hostile, tmp_path: Path) -> Iterator[Site]:
    """A site that shows it, with results in `tmp_path`."""
    with Site(0, sources_of(tmp_path, prometheus.url)) as it:
        yield it
