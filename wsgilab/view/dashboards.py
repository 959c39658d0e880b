"""The committed dashboards, and what their panels ask Prometheus. Pure, but for reading the files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from wsgilab.view.prometheus import Query
from wsgilab.view.refusal import NotShown

POINTS = 300
"""At most, in a line: about as many as a panel has pixels for."""
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
RELATIVE = re.compile(r"now(?:-([0-9]{1,9})([smhd]))?")
EPOCH_MS = re.compile(r"[0-9]{12,14}")
UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_SPAN_S = 30 * 86400.0

Dashboard = Mapping[str, Any]


@dataclass(frozen=True)
class Span:
    """What of time is shown, in epoch seconds, on a grid of `step_s`."""

    start: float
    end: float
    step_s: float

    @property
    def times(self) -> list[float]:
        """The grid, both ends included."""
        return [self.start + number * self.step_s for number in range(round((self.end - self.start) / self.step_s) + 1)]


def load_dashboards(folder: Path) -> dict[str, Dashboard]:
    """Every dashboard by uid, in the order of their titles with `Side by side`, the home, first. Raises NotShown."""
    found = [_load(path) for path in sorted(folder.glob("*.json"))]
    found.sort(key=lambda dashboard: (dashboard["uid"] != "side-by-side", dashboard["title"]))
    return {dashboard["uid"]: dashboard for dashboard in found}


def _load(path: Path) -> Dashboard:
    try:
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        missing = {"uid", "title", "time", "panels"} - set(dashboard)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _damaged(f"{path.name} cannot be read: {error}.") from error
    if missing:
        raise _damaged(f"{path.name} is not a dashboard: it has no {min(missing)}.")
    return dashboard  # type: ignore[no-any-return]


def _damaged(what: str) -> NotShown:
    return NotShown(HTTPStatus.INTERNAL_SERVER_ERROR, what, "git checkout grafana/dashboards")


def span_of(since: str, until: str, now: float) -> Span:
    """The time from `since` to `until`, each `now`, `now-5m` or epoch milliseconds, as in Grafana's addresses.

    Raises NotShown for what is neither, runs backwards, or is longer than 30 days.
    """
    start, end = _moment(since, now), _moment(until, now)
    if not (0 < end - start <= MAX_SPAN_S and start >= 0):
        raise _no_time(f"The time from {since} to {until} is empty, or longer than 30 days.")
    step_s = float(next((step for step in STEPS_S if (end - start) / step <= POINTS), STEPS_S[-1]))
    # On multiples of the step: while time moves on, a point stays where it is.
    return Span(math.floor(start / step_s) * step_s, math.floor(end / step_s) * step_s, step_s)


def panels(dashboard: Dashboard) -> Iterator[Mapping[str, Any]]:
    """Every panel but the headings, those in folded rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panel.get("panels", [])


def queries(dashboard: Dashboard, values: Mapping[str, str], span: Span) -> dict[tuple[int, str], Query]:
    """What each target asks, by the panel's id and the target's letter."""
    found = {}
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            step_s = None if target.get("instant") else span.step_s
            expression = fill_in(target["expr"], values, span)
            found[panel["id"], target["refId"]] = Query(expression, span.start, span.end, step_s)
    return found


def fill_in(expression: str, values: Mapping[str, str], span: Span) -> str:
    """An expression with its variables replaced: `$server`, `${server}`, `$__range`, `$__interval`."""
    known = {
        "__range": f"{math.ceil(span.end - span.start)}s",
        "__interval": f"{span.step_s:g}s",
        "__rate_interval": f"{max(4.0, span.step_s):g}s",
        # Between quotes, where a variable of ours stands: nothing that is typed may end them.
        **{name: re.sub(r'(["\\])', r"\\\1", value) for name, value in values.items()},
    }
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: known.get(match[1] or match[2], match[0]), expression)


def variables(dashboard: Dashboard) -> Iterator[Mapping[str, Any]]:
    """The variables that are asked of Prometheus, each with a `name`."""
    for variable in dashboard.get("templating", {}).get("list", []):
        if variable["type"] == "query":
            yield variable


def label_and_series(variable: Mapping[str, Any]) -> tuple[str, str]:
    """("server", "server:load_state") for `label_values(server:load_state, server)`. Raises ValueError."""
    match = re.fullmatch(r"label_values\(([^,]+), *(\w+)\)", variable["query"])
    if not match:
        raise ValueError(f"the variable {variable['name']} is asked for in a way that is not known here")
    return match[2], match[1]


def named(legend: str | None, labels: Mapping[str, str]) -> str:
    """What a series is called: the legend with its `{{label}}`s replaced, or all labels where it says nothing."""
    if not legend or legend == "__auto":
        return ", ".join(f"{name}={value}" for name, value in labels.items()) or "value"
    return re.sub(r"\{\{ *(\w+) *\}\}", lambda match: labels.get(match[1], ""), legend)


def _moment(text: str, now: float) -> float:
    if match := RELATIVE.fullmatch(text):
        return now - (int(match[1]) * UNIT_S[match[2]] if match[1] else 0)
    if EPOCH_MS.fullmatch(text):
        return int(text) / 1000
    raise _no_time(f"'{text[:40]}' is not a time: now, now-5m or epoch milliseconds.")


def _no_time(what: str) -> NotShown:
    return NotShown(HTTPStatus.BAD_REQUEST, f"{what} Choose another time above.")
