"""`./lab view`: what panels ask, and what the page gets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from hostile import Hostile
from shown import answers_of
from support import ROOT

from wsgilab.lab.servers import load_lab
from wsgilab.machine.ports import free_ports
from wsgilab.measure.recorder import flags
from wsgilab.view.answers import heat, on_grid
from wsgilab.view.dashboards import (
    Span,
    fill_in,
    label_and_series,
    load_dashboards,
    named,
    panels,
    queries,
    span_of,
    variables,
)
from wsgilab.view.prometheus import Series, Unusable
from wsgilab.view.refusal import NotShown

DASHBOARDS = load_dashboards(ROOT / "grafana/dashboards")
SPAN = Span(1000.0, 1010.0, 1.0)
NOW = 1_700_000_000.0


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_home_page_comes_first() -> None:
    assert list(DASHBOARDS) == ["side-by-side", "capacity", "lab-health", "one-server", "what-the-browser-feels"]


@pytest.mark.parametrize(
    ("since", "until", "seconds", "step_s"),
    [("now-5m", "now", 300, 1), ("now-1h", "now", 3600, 15), ("now-2d", "now", 172800, 600)],
)
def test_a_span_has_as_many_points_as_a_panel_can_show(since: str, until: str, seconds: int, step_s: int) -> None:
    span = span_of(since, until, NOW)
    assert span.step_s == step_s
    assert span.end - span.start == pytest.approx(seconds, abs=step_s)
    assert span.start % step_s == span.end % step_s == 0
    assert len(span.times) <= 302


def test_a_span_may_be_given_in_milliseconds() -> None:
    assert span_of("1700000000000", "1700000060000", NOW) == Span(1_700_000_000.0, 1_700_000_060.0, 1.0)


@pytest.mark.parametrize(
    ("since", "until"), [("now", "now-5m"), ("now", "now"), ("yesterday", "now"), ("now-90d", "now")]
)
def test_a_span_that_is_none_is_refused(since: str, until: str) -> None:
    with pytest.raises(NotShown, match=since):
        span_of(since, until, NOW)


def test_variables_are_filled_in() -> None:
    asked = fill_in('max_over_time(a{server="$server", x="${server}"}[$__range])', {"server": "dev"}, SPAN)
    assert asked == 'max_over_time(a{server="dev", x="dev"}[10s])'


def test_a_value_cannot_leave_its_quotes() -> None:
    asked = fill_in('a{server="$server"}', {"server": '"} or up{x="'}, SPAN)
    assert asked == r'a{server="\"} or up{x=\""}'


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_no_variable_is_left_in_what_is_asked(uid: str) -> None:
    dashboard = DASHBOARDS[uid]
    values = {variable["name"]: "dev" for variable in variables(dashboard)}
    for query in queries(dashboard, values, SPAN).values():
        assert "$" not in query.expression


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_a_variable_is_asked_of_a_label(uid: str) -> None:
    for variable in variables(DASHBOARDS[uid]):
        assert label_and_series(variable) == ("server", "server:load_state")


def test_a_series_is_named_by_its_legend() -> None:
    assert named("{{server}} · offered", {"server": "dev"}) == "dev · offered"
    assert named(None, {"server": "dev"}) == "server=dev"


# ── what is given ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_samples_are_put_on_the_grid_and_gaps_stay_gaps() -> None:
    span = Span(100.0, 104.0, 1.0)
    assert on_grid([(100, "1"), (102, "NaN"), (103, "3")], span) == [1.0, None, None, 3.0, None]


def histogram(at: float, *buckets: list[object]) -> Series:
    return msgspec.convert({"metric": {}, "histograms": [[at, {"buckets": buckets}]]}, Series)


def test_native_histograms_become_cells_on_a_log_scale() -> None:
    many = histogram(101, [0, "0.02", "0.025", "4"], [0, "0.021", "0.0245", "1"], [0, "1.5", "2", "2"])
    found = heat([many, histogram(102)], Span(100.0, 104.0, 1.0))
    assert found == {"rows_per_decade": 10, "cells": [[1, -17, 5.0], [1, 2, 2.0]]}


@pytest.mark.parametrize(
    "bucket",
    [
        [3, "-0.001", "0.001", "4"],
        [0, "0", "1", "4"],
        [0, "-2", "-1", "4"],
        [0, "1e300", "1e308", "4"],
        [0, "1", "+Inf", "4"],
        [0, "NaN", "NaN", "4"],
        [0, "1", "2", "NaN"],
    ],
    ids=str,
)
def test_a_bucket_without_a_place_on_a_log_scale_is_left_out(bucket: list[object]) -> None:
    assert heat([histogram(101, bucket)], Span(100.0, 104.0, 1.0))["cells"] == []


def test_a_bucket_without_numbers_is_no_answer() -> None:
    with pytest.raises(Unusable, match="'x' is not a number"):
        heat([histogram(101, [0, "1", "x", "4"])], Span(100.0, 104.0, 1.0))


def test_what_lies_outside_the_time_is_left_out() -> None:
    outside = [histogram(at, [0, "1", "2", "4"]) for at in (0, 1e11)]
    assert heat(outside, Span(100.0, 104.0, 1.0))["cells"] == []


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_an_answer_holds_every_target_of_every_panel(prometheus: Hostile, tmp_path: Path, uid: str) -> None:
    answer = answers_of(tmp_path, prometheus.url).data(uid, {"var-server": "dev"})
    for panel in panels(DASHBOARDS[uid]):
        assert set(answer["panels"][panel["id"]]) == {target["refId"] for target in panel.get("targets", [])}
    assert "problem" not in answer
    assert answer["problems"] == {}
    assert answer["queries_p99_ms"] > 0
    assert len(prometheus.asked) == len(set(prometheus.asked)), "the same question is asked once"


def test_without_prometheus_the_answer_says_so(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    answer = answers_of(tmp_path, f"http://127.0.0.1:{port}").data("side-by-side", {})
    assert f"127.0.0.1:{port}" in answer["problem"]["what"]


def test_the_newest_runs_are_offered_as_times(tmp_path: Path) -> None:
    for name, until in (("1-run", "2026-01-01T00:01:00+00:00"), ("2-run", None)):
        (tmp_path / name).mkdir()
        manifest = {"started_at": "2026-01-01T00:00:00+00:00", "finished_at": until}
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "3-run").mkdir()
    (tmp_path / "3-run" / "manifest.json").write_text("{")
    found = answers_of(tmp_path, "http://127.0.0.1:1").runs()
    assert [(run["name"], run["until"]) for run in found] == [("2-run", None), ("1-run", 1767225660000)]


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in (ROOT / "wsgilab/view/static").iterdir():
        assert not re.search(r"""(src|href|from|import|fetch)\s*[=(]?\s*["'`](https?:)?//""", path.read_text()), (
            path.name
        )


def test_every_panel_type_of_the_dashboards_is_drawn() -> None:
    script = "".join((ROOT / "wsgilab/view/static" / name).read_text() for name in ("page.js", "charts.js"))
    for dashboard in DASHBOARDS.values():
        for panel in panels(dashboard):
            kind = panel["type"]
            assert f"'{kind}'" in script or re.search(rf"\b{re.escape(kind)}: charts\.", script), kind


# ── the Prometheus of local runs ────────────────────────────────────────────────────────────────────────────────────


def test_a_local_prometheus_has_composes_flags(tmp_path: Path) -> None:
    composes = load_lab(ROOT, {}).services["prometheus"]["command"]
    ours = flags(load_lab(ROOT, {}), tmp_path, 9999)
    assert {flag.partition("=")[0] for flag in composes} <= {flag.partition("=")[0] for flag in ours}
    assert f"--storage.tsdb.path={tmp_path / 'data'}" in ours
    assert "--web.listen-address=127.0.0.1:9999" in ours
