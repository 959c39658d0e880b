"""What the page gets: the dashboards as they are committed, and the data of every panel in one answer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from wsgilab.view.dashboards import (
    Dashboard,
    Span,
    label_and_series,
    load_dashboards,
    named,
    panels,
    queries,
    span_of,
    variables,
)
from wsgilab.view.prometheus import PATIENCE_S, Prometheus, Query, Series, Unanswered, Unusable, number
from wsgilab.view.refusal import NotShown
from wsgilab.view.runs import Runs

RUNS = 6
ROWS_PER_DECADE = 10
"""In a heatmap: finer than that, cells are too flat to be seen."""
LEAST, MOST = 1e-12, 1e12
"""In a heatmap: what lies outside is no time and no size that anybody measured."""


class Answers:
    """Answers of the API, as plain JSON values."""

    def __init__(self, root: Path, runs: Runs, prometheus: Prometheus) -> None:
        self._folder = root / "grafana/dashboards"
        self._runs = runs
        self._prometheus = prometheus

    def dashboards(self) -> dict[str, Dashboard]:
        """Every dashboard by uid; read anew, so that a changed file shows at the next reload. Raises NotShown."""
        return load_dashboards(self._folder)

    def runs(self) -> list[dict[str, Any]]:
        """The newest runs with their times in epoch milliseconds (`until` null while one is under way)."""
        return [
            {
                "name": run.name,
                "since": _milliseconds(run.started_at),
                "until": _milliseconds(run.finished_at) if run.finished_at else None,
            }
            for run in self._runs.newest(RUNS)
        ]

    def data(self, uid: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The data of every panel of a dashboard, and what is missing: of one panel (`problems`), or all (`problem`).

        `parameters` holds `from`, `to` and a `var-NAME` for each variable. Raises NotShown.
        """
        dashboard = self.dashboards().get(uid)
        if dashboard is None:
            raise NotShown(HTTPStatus.NOT_FOUND, "There is no such dashboard. Choose one above.")
        default = dashboard["time"]
        span = span_of(parameters.get("from", default["from"]), parameters.get("to", default["to"]), time.time())
        started = time.monotonic()
        answer: dict[str, Any] = {"start": span.start, "step_s": span.step_s, "points": len(span.times)}
        try:
            answer |= self._asked(dashboard, parameters, span, started + PATIENCE_S)
        except (Unanswered, Unusable) as missing:
            answer["problem"] = {"what": f"Prometheus: {missing}. This page goes on asking by itself.", "next": ""}
        p99_ms = self._prometheus.p99_ms()
        answer["took_ms"] = round((time.monotonic() - started) * 1000, 1)
        answer["queries_p99_ms"] = p99_ms and round(p99_ms, 1)
        return answer

    def _asked(
        self, dashboard: Dashboard, parameters: Mapping[str, str], span: Span, deadline: float
    ) -> dict[str, Any]:
        """Everything that Prometheus is asked for, one question after the other: it has one CPU, a run has it too."""
        chosen = self._variables(dashboard, parameters, span, deadline)
        asked = queries(dashboard, {name: one["value"] for name, one in chosen.items()}, span)
        found: dict[int, dict[str, Any]] = {panel["id"]: {} for panel in panels(dashboard)}
        problems: dict[int, str] = {}
        known: dict[Query, tuple[Series, ...]] = {}
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                query = asked[panel["id"], target["refId"]]
                try:
                    if query not in known:
                        known[query] = self._prometheus.ask(query, deadline)
                    found[panel["id"]][target["refId"]] = _drawable(panel, target, known[query], span)
                except Unusable as reason:
                    problems[panel["id"]] = f"Prometheus's answer cannot be shown: {reason}."
        return {"variables": chosen, "panels": found, "problems": problems}

    def _variables(
        self, dashboard: Dashboard, parameters: Mapping[str, str], span: Span, deadline: float
    ) -> dict[str, Any]:
        chosen = {}
        for variable in variables(dashboard):
            label, series = label_and_series(variable)
            options = self._prometheus.label_values(label, series, span.start, span.end, deadline)
            asked = parameters.get(f"var-{variable['name']}")
            default = str(variable["current"]["value"])
            value = asked or (default if default in options or not options else options[0])
            chosen[variable["name"]] = {"value": value, "options": options, "label": variable.get("label")}
        return chosen


def _drawable(panel: Mapping[str, Any], target: Mapping[str, Any], result: Sequence[Series], span: Span) -> Any:
    """Series on the grid of `span`, rows of a table, or cells of a heatmap."""
    if panel["type"] == "heatmap":
        return heat(result, span)
    found = []
    for series in result:
        one: dict[str, Any] = {"name": named(target.get("legendFormat"), series.labels), "labels": series.labels}
        if series.values:
            found.append({**one, "values": on_grid(series.values, span)})
        elif series.value:
            found.append({**one, "value": number(series.value[1])})
    # Prometheus promises no order; a series that comes third everywhere has the same colour everywhere.
    return sorted(found, key=lambda one: str(one["name"]))


def on_grid(samples: Sequence[tuple[float, str]], span: Span) -> list[float | None]:
    """A value for each point of the grid, None where there is no sample."""
    values: list[float | None] = [None] * len(span.times)
    for at, text in samples:
        place = round((at - span.start) / span.step_s)
        if 0 <= place < len(values):
            values[place] = number(text)
    return values


def heat(result: Sequence[Series], span: Span) -> dict[str, Any]:
    """Native histograms as cells [point of the grid, row, weight]; row r spans 10^(r/10) to 10^((r+1)/10) units."""
    cells: dict[tuple[int, int], float] = {}
    for series in result:
        for at, histogram in series.histograms:
            column = round((at - span.start) / span.step_s)
            for _, lower, upper, count in histogram.buckets:
                # The zero bucket has no place on a log scale: one of its ends is 0, or below.
                ends, weight = (number(lower) or 0.0, number(upper) or 0.0), number(count) or 0.0
                if 0 <= column < len(span.times) and min(ends) >= LEAST and max(ends) <= MOST and weight > 0:
                    row = math.floor(math.log10(math.sqrt(math.prod(ends))) * ROWS_PER_DECADE)
                    cells[column, row] = cells.get((column, row), 0.0) + weight
    return {
        "rows_per_decade": ROWS_PER_DECADE,
        "cells": [[column, row, round(weight, 3)] for (column, row), weight in sorted(cells.items())],
    }


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
