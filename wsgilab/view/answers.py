"""What the page gets: the dashboards as they are committed, and the data of every panel in one answer."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
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
from wsgilab.view.prometheus import Prometheus, Unanswered, number

RUNS = 6
ROWS_PER_DECADE = 10
"""Of a heatmap: finer than that, cells are too flat to be seen."""


class Answers:
    """Answers of the API, as plain JSON values."""

    def __init__(self, root: Path, results: Path, prometheus: Prometheus) -> None:
        self._folder = root / "grafana/dashboards"
        self._results = results
        self._prometheus = prometheus

    def dashboards(self) -> dict[str, Dashboard]:
        """Every dashboard by uid; read anew, so that a changed file shows at the next reload."""
        return load_dashboards(self._folder)

    def runs(self) -> list[dict[str, Any]]:
        """The newest runs with their times in epoch milliseconds (`until` null while one is under way)."""
        found = []
        for path in sorted(self._results.glob("*/manifest.json"), reverse=True)[:RUNS]:
            try:
                manifest = json.loads(path.read_text(encoding="utf-8"))
                times = [_milliseconds(manifest[key]) for key in ("started_at", "finished_at")]
            except (OSError, ValueError, KeyError, TypeError):
                continue  # a run that was cut short is no reason to show none
            found.append({"name": path.parent.name, "since": times[0], "until": times[1]})
        return found

    def data(self, uid: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The data of every panel of a dashboard, or what is missing.

        `parameters` holds `from`, `to` and a `var-NAME` for each variable. Raises KeyError for a dashboard that is
        not there, ValueError for a time that is none.
        """
        dashboard = self.dashboards()[uid]
        default = dashboard["time"]
        span = span_of(parameters.get("from", default["from"]), parameters.get("to", default["to"]), time.time())
        started = time.perf_counter()
        answer: dict[str, Any] = {"start": span.start, "step_s": span.step_s, "points": len(span.times)}
        try:
            chosen = self._variables(dashboard, parameters, span)
            answer["variables"] = chosen
            answer["panels"] = self._panels(dashboard, {name: one["value"] for name, one in chosen.items()}, span)
        except Unanswered as missing:
            answer["problem"] = {"what": f"Prometheus: {missing}", "next": "This page goes on asking by itself."}
        p99_ms = self._prometheus.p99_ms()
        answer["took_ms"] = round((time.perf_counter() - started) * 1000, 1)
        answer["queries_p99_ms"] = p99_ms and round(p99_ms, 1)
        return answer

    def _variables(self, dashboard: Dashboard, parameters: Mapping[str, str], span: Span) -> dict[str, Any]:
        chosen = {}
        for variable in variables(dashboard):
            label, series = label_and_series(variable)
            options = self._prometheus.label_values(label, series, span.start, span.end)
            asked = parameters.get(f"var-{variable['name']}")
            default = str(variable["current"]["value"])
            value = asked or (default if default in options or not options else options[0])
            chosen[variable["name"]] = {"value": value, "options": options, "label": variable.get("label")}
        return chosen

    def _panels(self, dashboard: Dashboard, values: Mapping[str, str], span: Span) -> dict[int, Any]:
        asked = queries(dashboard, values, span)
        answers = self._prometheus.ask(list(asked.values()))
        return {
            panel["id"]: {
                target["refId"]: _drawable(panel, target, answers[asked[panel["id"], target["refId"]]], span)
                for target in panel.get("targets", [])
            }
            for panel in panels(dashboard)
        }


def _drawable(
    panel: Mapping[str, Any], target: Mapping[str, Any], result: Sequence[Mapping[str, Any]], span: Span
) -> Any:
    """Series on the grid of `span`, rows of a table, or cells of a heatmap."""
    if panel["type"] == "heatmap":
        return heat(result, span)
    found = []
    for series in result:
        labels = {name: value for name, value in series["metric"].items() if name != "__name__"}
        one: dict[str, Any] = {"name": named(target.get("legendFormat"), labels), "labels": labels}
        if "values" in series:
            found.append({**one, "values": on_grid(series["values"], span)})
        elif "value" in series:
            found.append({**one, "value": number(series["value"][1])})
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


def heat(result: Sequence[Mapping[str, Any]], span: Span) -> dict[str, Any]:
    """Native histograms as cells [point of the grid, row, weight]; row r spans 10^(r/10) to 10^((r+1)/10) units.

    Prometheus gives buckets as [boundary rule, lower, upper, count]
    (https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms).
    """
    cells: dict[tuple[int, int], float] = {}
    for series in result:
        for at, histogram in series.get("histograms", []):
            column = round((at - span.start) / span.step_s)
            for _, lower, upper, count in histogram.get("buckets", []):
                middle = math.sqrt(float(lower) * float(upper))
                if middle > 0:  # the zero bucket has no place on a log scale
                    row = math.floor(math.log10(middle) * ROWS_PER_DECADE)
                    cells[column, row] = cells.get((column, row), 0.0) + float(count)
    return {
        "rows_per_decade": ROWS_PER_DECADE,
        "cells": [[column, row, round(weight, 3)] for (column, row), weight in sorted(cells.items()) if weight > 0],
    }


def _milliseconds(moment: str | None) -> int | None:
    return round(datetime.fromisoformat(moment).timestamp() * 1000) if moment else None
