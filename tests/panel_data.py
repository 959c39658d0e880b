"""Every target of every panel, put to a real Prometheus: what is empty, not finite, or of the wrong server."""

from __future__ import annotations

import json
import math
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from support import ROOT

from wsgilab.lab.servers import load_lab
from wsgilab.machine import http
from wsgilab.view.dashboards import Span, fill_in, load_dashboards, panels

SERVERS = load_lab(ROOT, {}).servers
OF_PROXIES = "server:nginx_seconds:mean"
"""A part of the response time that only servers behind nginx have."""
OF_SLOTS = "server:slots"
"""Slots, and the limit by them: a server with a thread for each connection has none."""


@dataclass(frozen=True)
class Target:
    """One query of one panel, for one choice of `$server`."""

    where: str
    expression: str
    instant: bool
    server: str | None

    @property
    def labels(self) -> set[str]:
        """The labels that its series must have, beside their name."""
        if "browser:" in self.expression:
            return {"server", "load", *(("wiring",) if "wiring" in self.expression else ())}
        if "by (server, rate)" in self.expression:
            return {"server", "rate"}
        if self.expression.startswith("server_worker:"):
            return {"server", "worker"}
        if self.expression.startswith("server:worker_ends"):
            return {"server", "why"}
        if self.expression.startswith("host_cpu:"):
            return {"cpu"}
        if self.expression == "generator:windows":
            return {"result"}
        return {"server"} if self.expression.startswith(("server:", "max by (server)")) else set()

    @property
    def is_due(self) -> bool:
        """Whether its server can have such a figure at all."""
        server = SERVERS.get(self.server or "")
        lacks = server and ((OF_PROXIES, server.via), (OF_SLOTS, server.slots))
        clicked = "browser:" in self.expression  # of ./lab vitals, not of a run
        return not clicked and not any(self.expression.startswith(figure) for figure, has in lacks or () if not has)


def targets(servers: Sequence[str], span: Span) -> Iterator[Target]:
    """Every target; those with `$server` once for each server."""
    for uid, dashboard in load_dashboards(ROOT / "grafana/dashboards").items():
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                chosen = servers if "$server" in target["expr"] else [None]
                for server in chosen:
                    expression = fill_in(target["expr"], {"server": server} if server else {}, span)
                    where = f"{uid}: {panel['title']} {target['refId']} {server or ''}".strip()
                    yield Target(where, expression, bool(target.get("instant")), server)


def ask(prometheus: str, target: Target, span: Span) -> list[dict[str, Any]]:
    """The series of its answer."""
    if target.instant:
        return query(prometheus, target.expression, span.end)
    parameters = {"query": target.expression, "start": span.start, "end": span.end, "step": span.step_s}
    return list(_get(f"{prometheus}/api/v1/query_range?{urllib.parse.urlencode(parameters)}"))


def query(prometheus: str, expression: str, at: float) -> list[dict[str, Any]]:
    """The answer to an expression at one moment."""
    return list(_get(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression, 'time': at})}"))


def _get(url: str) -> list[dict[str, Any]]:
    return list(json.loads(http.ask(url, timeout_s=30).body)["data"]["result"])


def faults(prometheus: str, target: Target, servers: Sequence[str], span: Span) -> Iterator[str]:
    """What is wrong with the answer to a target, in words."""
    series = ask(prometheus, target, span)
    if not series:
        yield f"{target.where}: empty ({target.expression})"
    for one in series:
        labels = set(one["metric"]) - {"__name__"}
        if labels - {"via"} != target.labels:
            yield f"{target.where}: labels {labels}"
        values = [float(text) for _, text in one.get("values", [one["value"]] if "value" in one else [])]
        buckets = [histogram["buckets"] for _, histogram in one.get("histograms", []) if histogram.get("buckets")]
        if not buckets and not any(math.isfinite(value) for value in values):
            yield f"{target.where}: nothing finite"
    if "server" in target.labels and series:
        seen = {one["metric"].get("server") for one in series} - {"nginx"}
        wanted = {target.server} if target.server else set(servers)
        if seen != wanted:
            yield f"{target.where}: of {sorted(map(str, seen))}, not {sorted(wanted)}"
