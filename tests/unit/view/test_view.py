"""`./lab view`: what panels ask, what the page gets, and who may look."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from support import ROOT, free_ports

from wsgilab.lab.servers import load_lab
from wsgilab.measure.recorder import flags, localized
from wsgilab.view.answers import Answers, heat, on_grid
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
from wsgilab.view.prometheus import Prometheus
from wsgilab.view.server import Site

DASHBOARDS = load_dashboards(ROOT / "grafana/dashboards")
SPAN = Span(1000.0, 1010.0, 1.0)
NOW = 1_700_000_000.0


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_home_page_comes_first() -> None:
    assert list(DASHBOARDS) == ["side-by-side", "capacity", "lab-health", "one-server"]


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
    with pytest.raises(ValueError, match=since):
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


def test_native_histograms_become_cells_on_a_log_scale() -> None:
    buckets = [[0, "0.02", "0.025", "4"], [0, "0.021", "0.0245", "1"], [0, "1.5", "2", "2"]]
    result = [{"histograms": [[101, {"buckets": buckets}], [102, {"buckets": []}]]}]
    assert heat(result, Span(100.0, 104.0, 1.0)) == {"rows_per_decade": 10, "cells": [[1, -17, 5.0], [1, 2, 2.0]]}


class FakePrometheus(BaseHTTPRequestHandler):
    """Answers every query with one series, and remembers what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        at = urlsplit(self.path)
        if at.path.startswith("/api/v1/label/"):
            data: Any = ["dev", "gunicorn"]
        else:
            parameters = parse_qs(at.query)
            self.asked.append(parameters["query"][0])
            sample = {"value": [float(parameters["time"][0]), "1"]} if "time" in parameters else {}
            samples = {} if sample else {"values": [[float(parameters["start"][0]), "1"]]}
            data = {"result": [{"metric": {"__name__": "x", "server": "dev"}, **sample, **samples}]}
        body = json.dumps({"status": "success", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def fake() -> Iterator[tuple[str, list[str]]]:
    """The address of a fake Prometheus, and what it was asked."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (FakePrometheus,), {"asked": asked}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_an_answer_holds_every_target_of_every_panel(fake: tuple[str, list[str]], tmp_path: Path, uid: str) -> None:
    with Prometheus(fake[0]) as prometheus:
        answer = Answers(ROOT, tmp_path, prometheus).data(uid, {"var-server": "dev"})
    for panel in panels(DASHBOARDS[uid]):
        assert set(answer["panels"][panel["id"]]) == {target["refId"] for target in panel.get("targets", [])}
    assert "problem" not in answer
    assert answer["queries_p99_ms"] > 0
    assert len(fake[1]) == len(set(fake[1])), "the same question is asked once"


def test_without_prometheus_the_answer_says_so(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with Prometheus(f"http://127.0.0.1:{port}") as prometheus:
        answer = Answers(ROOT, tmp_path, prometheus).data("side-by-side", {})
    assert f"127.0.0.1:{port}" in answer["problem"]["what"]


def test_the_newest_runs_are_offered_as_times(tmp_path: Path) -> None:
    for name, until in (("1-run", "2026-01-01T00:01:00+00:00"), ("2-run", None)):
        (tmp_path / name).mkdir()
        manifest = {"started_at": "2026-01-01T00:00:00+00:00", "finished_at": until}
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "3-run").mkdir()
    (tmp_path / "3-run" / "manifest.json").write_text("{")
    found = Answers(ROOT, tmp_path, Prometheus("http://127.0.0.1:1")).runs()
    assert [(run["name"], run["until"]) for run in found] == [("2-run", None), ("1-run", 1767225660000)]


# ── who may look ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def site(fake: tuple[str, list[str]], tmp_path: Path) -> Iterator[int]:
    """The port of a site."""
    with Prometheus(fake[0]) as prometheus, Site(0, Answers(ROOT, tmp_path, prometheus)) as it:
        yield int(it.url.split(":")[2].strip("/"))


def get(port: int, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer


def test_pages_scripts_and_data_are_served(site: int) -> None:
    assert get(site, "/").headers["Location"] == "/d/side-by-side"
    for path in ("/d/capacity", "/static/page.js", "/static/echarts.js", "/api/dashboards", "/api/data/capacity"):
        assert get(site, path).status == 200, path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/data/nothing", 404),
        ("/api/data/capacity?from=then", 400),
        ("/static/../server.py", 404),
        ("/static/%2e%2e/server.py", 404),
        ("/api/v1/query?query=up", 404),
    ],
)
def test_what_is_not_there_is_refused(site: int, path: str, status: int) -> None:
    assert get(site, path).status == status


def test_nothing_can_be_written(site: int) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert get(site, "/api/dashboards", method).status == 501


def test_a_foreign_page_cannot_read_it(site: int) -> None:
    assert get(site, "/api/dashboards", Host="evil.example").status == 403
    answer = get(site, "/d/capacity")
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


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


def test_a_local_prometheus_differs_from_composes_in_addresses_alone(tmp_path: Path) -> None:
    shipped = yaml.safe_load((ROOT / "prometheus/prometheus.yaml").read_text())
    local = localized(shipped, ROOT / "prometheus/rules.yaml", tmp_path, 9999)
    assert local["global"] == shipped["global"]
    assert [job["job_name"] for job in local["scrape_configs"]] == ["servers", "nginx", "prometheus"]
    for job in local["scrape_configs"]:
        (original,) = [each for each in shipped["scrape_configs"] if each["job_name"] == job["job_name"]]
        places = {"static_configs", "file_sd_configs"}
        assert {key: value for key, value in job.items() if key not in places} == {
            key: value for key, value in original.items() if key not in places
        }


def test_a_local_prometheus_has_composes_flags(tmp_path: Path) -> None:
    composes = load_lab(ROOT, {}).services["prometheus"]["command"]
    ours = flags(load_lab(ROOT, {}), tmp_path / "p.yaml", tmp_path / "data", 9999)
    assert {flag.partition("=")[0] for flag in composes} <= {flag.partition("=")[0] for flag in ours}
    assert f"--storage.tsdb.path={tmp_path / 'data'}" in ours
    assert "--web.listen-address=127.0.0.1:9999" in ours
