"""No panel is empty, and what panels show is what was measured: on the real Prometheus, after a short comparison."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import pytest
from compose_stack import Stack
from panel_data import faults, query, targets
from support import ROOT, windows_of

from wsgilab.commands import doctor_grafana
from wsgilab.lab.servers import load_lab
from wsgilab.model.finding import MISSING
from wsgilab.view.dashboards import Span

FIVE = ["dev-single", "dev", "gunicorn", "uwsgi-single", "uwsgi"]
RECORDING = [*FIVE, "nginx", "nginx-exporter", "prometheus"]


@dataclass(frozen=True)
class Comparison:
    """A run in containers, and the Prometheus that watched it."""

    prometheus: str
    span: Span
    windows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def comparison(stack: Stack) -> Comparison:
    """The five servers at a rate that each of them carries; windows of 4 s, which a figure's 5 s look back on whole."""
    stack.compose("up", "--detach", "--wait", *RECORDING)
    return _measure(stack, "--servers", ",".join(FIVE), "--workload", "/io?ms=100", "--rate", "8", "--duration", "4")


def _measure(stack: Stack, *what: str) -> Comparison:
    since = time.time()
    stack.compose("run", "--rm", "--no-deps", "runner", "run", "--rounds", "1", *what)
    span = Span(math.floor(since), math.ceil(time.time()), 1.0)
    return Comparison(stack.prometheus, span, windows_of(stack.newest_run()))


def test_every_target_of_every_panel_has_data_for_every_server(comparison: Comparison) -> None:
    asked = [target for target in targets(FIVE, comparison.span) if target.is_due]
    assert len(asked) > 100
    found = [text for target in asked for text in faults(comparison.prometheus, target, FIVE, comparison.span)]
    assert found == []


def test_p99_in_the_panel_is_p99_of_the_window(comparison: Comparison) -> None:
    for window in comparison.windows:
        server, load = window["plan"]["server"], window["load"]
        end = load["started_at"] + window["plan"]["duration_s"] + 1
        shown = query(
            comparison.prometheus, f'last_over_time(server:response_time_seconds:p99{{server="{server}"}}[3s])', end
        )
        assert float(shown[0]["value"][1]) * 1000 == pytest.approx(load["ladder_ms"]["99"], rel=0.10), server


def test_cpu_cores_in_the_panel_are_what_the_control_group_counted(stack: Stack, comparison: Comparison) -> None:
    # Busy and steady: of a server that is nearly idle, a health check would be the larger part.
    busy = _measure(stack, "--servers", "gunicorn", "--workload", "/cpu?ms=5", "--rate", "100", "--duration", "8")
    (window,) = busy.windows
    end = window["load"]["started_at"] + window["plan"]["duration_s"]
    (shown,) = query(busy.prometheus, 'server:cpu_cores:rate{server="gunicorn"}', end)
    of_both = 'rate(container_cpu_usage_seconds_total{server="gunicorn"}[5s])'
    of_exporter = 'rate(exporter_cpu_seconds_total{server="gunicorn"}[5s])'
    (counted,) = query(busy.prometheus, f"sum({of_both}) - sum({of_exporter})", end)
    assert float(counted["value"][1]) > 0.3
    assert float(shown["value"][1]) == pytest.approx(float(counted["value"][1]), rel=0.05)


def test_the_cpu_of_k6_in_the_panel_is_what_the_kernel_counted(comparison: Comparison) -> None:
    """Over the whole run: a k6 lives for a few seconds, and a rate over 5 s shows it as a hill of the same area."""
    since, until = comparison.span.start, comparison.span.end
    (cores,) = query(comparison.prometheus, f"sum_over_time(generator:cpu_cores:rate[{until - since:.0f}s])", until)
    counted = sum(window["load"]["k6_cpu_s"] for window in comparison.windows)
    assert float(cores["value"][1]) == pytest.approx(counted, rel=0.25)


def test_windows_show_in_the_strip_when_they_were(comparison: Comparison) -> None:
    for window in comparison.windows:
        server, plan = window["plan"]["server"], window["plan"]
        middle = window["load"]["started_at"] + plan["duration_s"] * 0.75
        states = query(comparison.prometheus, "server:load_state", middle)
        under_load = {one["metric"]["server"] for one in states if one["value"][1] == "2"}
        assert server in under_load


def test_a_run_goes_on_when_prometheus_is_killed_and_says_so(stack: Stack, comparison: Comparison) -> None:
    what = ("--servers", "dev,gunicorn", "--rate", "20", "--rounds", "2", "--duration", "2")
    run = stack.start("run", "--rm", "--no-deps", "runner", "run", *what)
    try:
        run.says("[2/4]")
        stack.compose("kill", "prometheus")
        assert run.ends() == 0, run.output
    finally:
        stack.compose("up", "--detach", "--wait", "--no-deps", "prometheus")
    assert "Prometheus did not record all of the run" in run.output
    assert [window["void"] for window in windows_of(stack.newest_run())] == [None] * 4


# ── Grafana, where its image can be had ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def grafana(stack: Stack, comparison: Comparison) -> str:
    """Its address. Nobody has packaged it, so without an image registry this part is not run."""
    done = stack.compose("up", "--detach", "--wait", "--no-deps", "grafana", check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"no image of Grafana can be had here: {reason}")
    return f"http://127.0.0.1:{stack.port('GRAFANA_PORT')}"


def test_grafana_shows_what_the_files_say_and_every_panel_has_data(grafana: str) -> None:
    """What whoever has the image can ask in one command: `./lab doctor --grafana URL`."""
    findings = list(doctor_grafana.examine(load_lab(ROOT), grafana))
    assert [finding for finding in findings if finding.state == MISSING] == []
    (panels,) = [finding for finding in findings if finding.what == "Panels"]
    assert not panels.said.startswith("none"), panels.said
