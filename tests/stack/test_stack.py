"""`docker compose up`, for real: what came out, what Prometheus saw, what else runs and is built."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from compose_stack import CLIENT_CONFIG, DEAD_PROXY, Stack
from panel_data import query
from support import ROOT, windows_of

from wsgilab.machine import http

FIVE = ["dev-single", "dev", "gunicorn", "uwsgi-single", "uwsgi"]


def ask_prometheus(stack: Stack, expression: str) -> list[dict[str, Any]]:
    return query(stack.prometheus, expression, time.time())


def test_up_prints_the_verdict_and_the_stack_stays(stack: Stack, main_job: str) -> None:
    for server in FIVE:
        assert server in main_job
    last = main_job[main_job.index("Kept in ") :]
    assert f"Look closer:    http://127.0.0.1:{stack.port('HOME_PORT')} (everything), " in last
    assert f"http://127.0.0.1:{stack.port('GRAFANA_PORT')} (Grafana)" in last
    assert re.search("Measure again: .*Stop: ", last, re.DOTALL)
    states = {name: each["State"]["Status"] for name, each in stack.containers().items()}
    assert {states.pop(name) for name in ("runner", "image", "prometheus-setup")} == {"exited"}
    assert set(states.values()) == {"running"}, states


def test_all_five_servers_were_measured(stack: Stack, main_job: str) -> None:
    folder = stack.newest_run()
    verdict = json.loads((folder / "verdict.json").read_text())
    assert [server["server"] for server in verdict["servers"]] == FIVE
    assert verdict["engine"] == "compose"
    for server in verdict["servers"]:
        for load in server["loads"]:
            assert load["windows"] > 0, server["server"]
    for name in ("manifest.json", "windows.jsonl", "report.md", "report.html"):
        assert (folder / name).stat().st_size > 0
    assert [at["rate_rps"] for at in verdict["floor"]] == [100, 250]
    assert verdict["fresh_starts"] == 0, "no container of the lab can start another"


def test_the_lesson_is_reproduced(stack: Stack, main_job: str) -> None:
    """One slot of 22 ms cannot carry 100 rps, four cannot carry 250; a thread for each request can."""
    verdict = json.loads((stack.newest_run() / "verdict.json").read_text())
    loads = {(server["server"], load["rate_rps"]): load for server in verdict["servers"] for load in server["loads"]}
    bad = [("dev-single", 100), ("uwsgi-single", 100), ("dev-single", 250), ("uwsgi-single", 250), ("gunicorn", 250)]
    assert {cell: loads[cell]["verdict"] for cell in bad} == dict.fromkeys(bad, "bad")
    for rate in (100, 250):
        for fast in ("dev", "uwsgi"):
            assert loads[fast, rate]["p50_ms"]["value"] * 4 < loads["dev-single", rate]["p50_ms"]["value"]


def test_containers_are_given_a_proxy_and_those_that_must_not_ask_it_have_none(stack: Stack, main_job: str) -> None:
    """Nobody answers at that proxy: that the stack got up and measured says that nobody had to ask it."""
    for service in ("gunicorn", "nginx", "nginx-exporter", "prometheus", "home"):
        proxies = stack.inside(service, "sh", "-c", "echo $http_proxy $HTTP_PROXY $https_proxy $HTTPS_PROXY").split()
        assert set(proxies) == ({DEAD_PROXY} if service == "gunicorn" else set()), service


def test_prometheus_holds_samples_of_every_server_from_both_sides(stack: Stack, main_job: str) -> None:
    for metric in ("wsgi_requests_total", "server_cpu_seconds_total", "k6_http_reqs_total"):
        seen = {
            series["metric"]["server"]
            for series in ask_prometheus(stack, f"sum by (server) (max_over_time({metric}[30m]))")
        }
        assert set(FIVE) <= seen, metric
    histograms = ask_prometheus(
        stack, "sum by (server) (histogram_count(max_over_time(k6_response_time_seconds[30m])))"
    )
    assert set(FIVE) <= {series["metric"]["server"] for series in histograms} or histogram_seen(stack)


def histogram_seen(stack: Stack) -> bool:
    found = ask_prometheus(stack, "count by (server) (count_over_time(k6_response_time_seconds[30m]))")
    return set(FIVE) <= {series["metric"]["server"] for series in found}


def test_no_recorded_series_is_empty(stack: Stack, main_job: str) -> None:
    """Every recording rule is fed by the run that just ended, but for those of clicks: `./lab vitals` makes them."""
    groups = json.loads(http.ask(f"{stack.prometheus}/api/v1/rules?type=record").body)["data"]["groups"]
    names = {rule["name"] for group in groups for rule in group["rules"]}
    recorded = sorted(name for name in names if not name.startswith("browser:"))
    assert recorded
    empty = [name for name in recorded if not ask_prometheus(stack, f"last_over_time({{__name__='{name}'}}[30m])")]
    assert empty == []


@pytest.mark.parametrize(
    "check",
    [
        "check config /etc/wsgilab/prometheus.yaml",
        "check web-config /etc/wsgilab/web.yaml",
        "check rules /etc/prometheus/rules.yaml",
        "test rules /etc/prometheus/rules_test.yaml",
    ],
)
def test_promtool_of_the_image_that_runs_is_content(stack: Stack, main_job: str, check: str) -> None:
    stack.compose("exec", "-T", "prometheus", "promtool", *check.split())


def test_k6_the_app_and_nginx_count_the_same(stack: Stack, main_job: str) -> None:
    def counts() -> tuple[float, float]:
        requests = scrape_inside(stack, "uwsgi")["wsgi_requests_total"]
        return requests, scrape_inside(stack, "nginx-exporter")["nginx_requests_total"]

    app_before, nginx_before = counts()
    stack.compose(
        "run", "--rm", "runner", "run", "--servers", "uwsgi", "--rate", "50", "--rounds", "1", "--duration", "2"
    )
    app_after, nginx_after = counts()
    (window,) = windows_of(stack.newest_run())
    sent = window["load"]["total_requests"]
    assert window["load"]["ok"] == window["load"]["scheduled"] == 100
    # Two more than k6's: the runner's health check, and the status page that the exporter reads is counted by nginx.
    assert app_after - app_before - sent in (1, 2), "health checks alone may come on top"
    assert nginx_after - nginx_before >= sent
    status_pages = nginx_after - nginx_before - (app_after - app_before)
    # nginx alone answers what k6's own floor is measured with: 1.5 s at 50 rps.
    assert 0 <= status_pages - 75 <= 60


def scrape_inside(stack: Stack, service: str) -> dict[str, float]:
    """A container's exporter, read from inside the lab's network (it is not published)."""
    code = f"import urllib.request as u; print(u.urlopen('http://{service}:9100/metrics').read().decode())"
    text = stack.inside("nginx-exporter", "python3", "-c", code)  # which has Python, and no proxy
    totals: dict[str, float] = {}
    for name, value in re.findall(r"^(\w+)(?:\{[^}]*\})? (\S+)", text, re.MULTILINE):
        totals[name] = totals.get(name, 0.0) + float(value)
    return totals


def test_every_server_answers_on_its_own_loopback_port(stack: Stack, main_job: str) -> None:
    for server, variable in zip(
        FIVE, ("DEV_SINGLE_PORT", "DEV_PORT", "GUNICORN_PORT", "UWSGI_SINGLE_PORT", "UWSGI_PORT"), strict=True
    ):
        with urllib.request.urlopen(f"http://127.0.0.1:{stack.port(variable)}/mix") as answer:
            assert answer.headers["X-Lab-Server"] == server


def test_the_other_six_run_in_containers_too(stack: Stack, main_job: str) -> None:
    more = ["gunicorn-gthread", "gunicorn-gevent", "gunicorn-nginx", "uwsgi-http", "waitress", "granian"]
    stack.compose("--profile", "more", "up", "--detach", "--wait", *more)
    stack.compose(
        *("run", "--rm", "runner", "run", "--servers", ",".join(more)),
        *("--rate", "20", "--rounds", "1", "--duration", "1"),
    )
    windows = windows_of(stack.newest_run())
    assert {window["plan"]["server"]: window["load"]["ok"] for window in windows} == dict.fromkeys(more, 20)
    assert [window["void"] for window in windows] == [None] * 6


def test_a_server_alone_as_the_very_first_command_builds_what_it_needs(stack: Stack, main_job: str) -> None:
    """As on a machine that has never built the lab; the project is another, the image of this one comes back."""
    project = f"{stack.environment['COMPOSE_PROJECT_NAME']}-first"
    own = {"COMPOSE_PROJECT_NAME": project, "WAITRESS_PORT": "0", "DOCKER_CONFIG": str(CLIENT_CONFIG)}
    image = "wsgilab-server:local"
    before = dangling(stack)
    subprocess.run(["docker", "tag", image, f"{image}-kept"], env=stack.environment, check=True)
    try:
        subprocess.run(["docker", "rmi", "--force", image], env=stack.environment, check=True, capture_output=True)
        stack.compose("up", "--detach", "--wait", "waitress", **own)
        assert dangling(stack) <= before, "one build makes one image"
    finally:
        stack.compose("--profile", "more", "down", "--volumes", "--timeout", "5", **own)
        subprocess.run(["docker", "tag", f"{image}-kept", image], env=stack.environment, check=True)
        subprocess.run(["docker", "rmi", f"{image}-kept"], env=stack.environment, check=True, capture_output=True)


def test_a_clone_by_git_for_windows_builds_an_image_whose_script_starts(stack: Stack, tmp_path: Path) -> None:
    clone = ["git", "-c", "safe.directory=*", "-c", "core.autocrlf=true", "clone", "--quiet", f"file://{ROOT}", "lab"]
    subprocess.run(clone, cwd=tmp_path, check=True)
    tag = "wsgilab-clone:test"
    network = ["--network", "host"] if "LAB_TEST_STANDINS" in stack.environment else []
    arguments = [f"--build-arg={name}={stack.variable(name)}" for name in ("PYTHON_IMAGE", "K6_IMAGE")]
    build = ["docker", "build", "--quiet", *network, *arguments, "--target", "server", "--tag", tag]
    subprocess.run(
        [*build, "--file", "services/Dockerfile", "."],
        cwd=tmp_path / "lab",
        env={**stack.environment, "DOCKER_CONFIG": str(CLIENT_CONFIG)},
        check=True,
        capture_output=True,
    )
    try:
        run = ["docker", "run", "--rm", "--network", "none", "--user", "10001", tag, "true"]
        said = subprocess.run(run, env=stack.environment, capture_output=True, text=True, check=False)
        # The script itself speaks: with CRLF the kernel would not find its interpreter (exit 127).
        assert said.returncode == 2, said.stderr
        assert "LAB_RUN_DIR" in said.stderr
    finally:
        subprocess.run(["docker", "rmi", "--force", tag], env=stack.environment, check=True, capture_output=True)


def dangling(stack: Stack) -> set[str]:
    command = ["docker", "images", "--quiet", "--filter", "dangling=true"]
    said = subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=True).stdout
    return set(said.split())


def test_the_home_page_shows_the_run_and_who_is_there(stack: Stack, main_job: str) -> None:
    url = f"http://127.0.0.1:{stack.port('HOME_PORT')}"
    page = http.ask(url).text
    assert f'href="/runs/{stack.newest_run().name}"' in page
    assert "The lesson's table" in http.ask(f"{url}/runs/{stack.newest_run().name}").text.replace("&#39;", "'")
    for variable in ("DEV_PORT", "UWSGI_PORT", "PROMETHEUS_PORT"):
        assert f'href="http://127.0.0.1:{stack.port(variable)}/"' in page, variable
    now = http.ask(f"{url}/live/now").text
    assert now.count(">idle<") >= len(FIVE), "Prometheus told it"  # and the six others, where they ran before
    assert http.ask(f"{url}/", headers={"Host": "evil.example"}).status == 403
    assert "docker compose up --detach grafana" in http.ask(f"{url}/d/capacity").text, "it is not started here"
