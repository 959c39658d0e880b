"""`./lab doctor --grafana URL`: whether a running Grafana shows what the lab's files say, to everybody who opens it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wsgilab.lab.servers import Lab
from wsgilab.model.finding import MISSING, ODD, OK, Finding
from wsgilab.view.dashboards import Dashboard, Span, fill_in, load_dashboards, panels, span_of
from wsgilab.view.grafana import Grafana, NotAsItShould

LOOKED_BACK = "now-1h"
LOG = "docker compose logs grafana"
AGAIN = "docker compose up --detach --force-recreate grafana"
MEASURE = "docker compose run --rm runner run --quick"
ANY_SERVER = "group by (server) (last_over_time(server:offered:rate[$__range]))"


def examine(lab: Lab, url: str) -> Iterator[Finding]:
    """Health, data source, home, each dashboard by its uid, and each panel by the queries that it would send."""
    grafana = Grafana(url)
    try:
        yield Finding("Grafana", OK, f"{grafana.version()} answers at {url}")
    except NotAsItShould as error:
        yield Finding(
            "Grafana", MISSING, f"{url} is not a working Grafana: {error}", "docker compose up --detach grafana"
        )
        return
    dashboards = load_dashboards(lab.root / "grafana/dashboards")
    yield _data_source(grafana)
    yield _home(grafana, next(iter(dashboards)))
    for uid in dashboards:
        yield _dashboard(grafana, uid)
    yield from _panels(lab, grafana, dashboards)


def _data_source(grafana: Grafana) -> Finding:
    try:
        grafana.require_data_source()
    except NotAsItShould as error:
        return Finding("Data source", MISSING, f"Prometheus cannot be asked: {error}", LOG)
    return Finding("Data source", OK, "Prometheus answers Grafana")


def _home(grafana: Grafana, wanted: str) -> Finding:
    try:
        found = grafana.home()
    except NotAsItShould as error:
        return Finding("Home", MISSING, f"the first page does not open: {error}", LOG)
    if found != wanted:
        return Finding("Home", ODD, f"it opens with '{found}', not with '{wanted}'", AGAIN)
    return Finding("Home", OK, f"it opens with {wanted}, without a login")


def _dashboard(grafana: Grafana, uid: str) -> Finding:
    try:
        folder = grafana.folder_of(uid)
    except NotAsItShould as error:
        return Finding("Dashboard", MISSING, f"{uid} does not open: {error}", LOG)
    return Finding("Dashboard", OK, f"{uid} opens, in the folder '{folder}'")


def _panels(lab: Lab, grafana: Grafana, dashboards: Mapping[str, Dashboard]) -> Iterator[Finding]:
    """One finding for each panel that fails, and one for how many have data."""
    span = span_of(LOOKED_BACK, "now", time.time())
    full, empty = 0, []
    try:
        server = _one_that_was_measured(lab, grafana, span)
    except NotAsItShould as error:
        yield Finding("Panels", MISSING, f"no query is answered: {error}", LOG)
        return
    for uid, dashboard in dashboards.items():
        for panel in panels(dashboard):
            if not panel.get("targets"):
                continue
            where = f"{uid}: {panel['title']}"
            try:
                has_data = _has_data(grafana, panel["targets"], server, span)
            except NotAsItShould as error:
                yield Finding("Panel", MISSING, f"{where} fails: {error}", LOG)
                continue
            full += has_data
            empty += [] if has_data else [where]
    yield _how_many(full, empty, server)


def _how_many(full: int, empty: Sequence[str], server: str) -> Finding:
    if not full:
        return Finding("Panels", ODD, "none has data: nothing was measured within the last hour", MEASURE)
    if empty:
        said = f"{full} have data ($server is {server}); empty in the last hour: {', '.join(empty)}"
        return Finding("Panels", ODD, said, MEASURE)
    return Finding("Panels", OK, f"all {full} have data ($server is {server})")


def _one_that_was_measured(lab: Lab, grafana: Grafana, span: Span) -> str:
    """For `$server`: one behind a proxy, if there is one, which has figures in every panel; else any."""
    target = {"refId": "A", "expr": fill_in(ANY_SERVER, {}, span), "instant": True}
    frames = grafana.ask([target], span).get("A", ())
    measured = {name for frame in frames for name in frame.labels("server")}
    known = [server for server in lab.servers.values() if server.name in measured]
    known.sort(key=lambda server: (server.via is None, server.slots is None))
    return next((server.name for server in known), lab.default_servers[-1])


def _has_data(grafana: Grafana, targets: Sequence[Mapping[str, Any]], server: str, span: Span) -> bool:
    """Whether each target of a panel finds something."""
    asked = [{**target, "expr": fill_in(target["expr"], {"server": server}, span)} for target in targets]
    found = grafana.ask(asked, span)
    return all(any(not frame.is_empty for frame in found.get(target["refId"], ())) for target in targets)
