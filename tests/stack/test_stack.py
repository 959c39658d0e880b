"""`docker compose up`, for real: what came out, what Prometheus saw, how the containers are locked in."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from compose_stack import CLIENT_CONFIG, DEAD_PROXY, Stack
from panel_data import query
from support import ROOT, windows_of

from wsgilab.machine import http
from wsgilab.measure.remote_write import Series, encode, snappy

FIVE = ["dev-single", "dev", "gunicorn", "uwsgi-single", "uwsgi"]


def ask_prometheus(stack: Stack, expression: str) -> list[dict[str, Any]]:
    return query(stack.prometheus, expression, time.time())


# ── what came out ───────────────────────────────────────────────────────────────────────────────────────────────────


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


def test_no_page_of_another_origin_may_read_prometheus(stack: Stack, main_job: str) -> None:
    for origin in ("http://evil.example", "null"):
        answer = http.ask(f"{stack.prometheus}/api/v1/status/flags", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] is None


def test_nobody_reads_or_writes_prometheus_without_the_password(stack: Stack, main_job: str) -> None:
    """What a page in a browser can send: a POST without a content type, which needs nobody's leave."""
    sample = snappy(encode([Series("forged", 1.0)], round(time.time() * 1000)))
    bare = http.public(stack.prometheus)
    for url in (bare, bare.replace("//", "//lab:guessed@")):
        assert http.ask(f"{url}/api/v1/write", data=sample).status == 401
        assert http.ask(f"{url}/api/v1/query?query=up").status == 401
    assert ask_prometheus(stack, "forged") == []


def test_the_password_is_nowhere_in_what_a_run_leaves_behind(stack: Stack, main_job: str) -> None:
    password = stack.inside("prometheus", "cat", "/etc/wsgilab/password")
    assert len(password) >= 32
    texts = {path.name: path.read_text() for path in stack.newest_run().iterdir() if path.is_file()}
    assert [name for name, text in texts.items() if password in text] == []
    assert password not in stack.compose("logs").stdout


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
    """Every recording rule is fed by the run that just ended."""
    groups = json.loads(http.ask(f"{stack.prometheus}/api/v1/rules?type=record").body)["data"]["groups"]
    recorded = sorted({rule["name"] for group in groups for rule in group["rules"]})
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


def test_variants_run_in_containers_of_their_own_beside_the_stack(stack: Stack, main_job: str) -> None:
    before = set(stack.containers())
    few = "few=uwsgi,UWSGI_PROCESSES=1,UWSGI_THREADS=1"
    done = stack.lab(
        *("run", "--servers", "gunicorn", "--variant", "eight=gunicorn,GUNICORN_WORKERS=8", "--variant", few),
        *("--rate", "20", "--rounds", "1", "--duration", "1"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    windows = {window["plan"]["server"]: window for window in windows_of(stack.newest_run())}
    assert {name: window["load"]["ok"] for name, window in windows.items()} == {"gunicorn": 20, "eight": 20, "few": 20}
    assert [window["void"] for window in windows.values()] == [None] * 3
    verdict = json.loads((stack.newest_run() / "verdict.json").read_text())
    assert {row["server"]: row["slots"] for row in verdict["servers"]} == {"gunicorn": 4, "eight": 8, "few": 1}
    assert set(stack.containers()) == before, "the stack goes on, the variants are gone"


def test_a_gate_measures_a_revision_in_a_container_of_its_own(stack: Stack, main_job: str, tmp_path: Path) -> None:
    """Two revisions of an app, each mounted in its own container; the user's repository is where it was."""
    before = set(stack.containers())
    shop = tmp_path / "shop"
    shop.mkdir()
    app = "import time\ndef serve(environ, start):\n    time.sleep({})\n    start('200 OK', [])\n    return []\n"
    me = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "."], [*me, "commit", "--quiet", "--message", "quick"]):
        (shop / "shop.py").write_text(app.format(0.005))
        subprocess.run(["git", *words], cwd=shop, check=True)
    (shop / "shop.py").write_text(app.format(0.04))
    done = stack.lab(
        *("gate", "--app-dir", str(shop), "--app", "shop:serve", "--servers", "gunicorn", "--workload", "/"),
        *("--against", "HEAD", "--slo", "p99<9s", "--rate", "20", "--rounds", "3", "--duration", "1", "--json"),
    )
    assert done.returncode == 6, done.stdout + done.stderr
    checks = {check["about"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["p50_ms"]["outcome"] == "got worse"
    assert 3 < checks["p50_ms"]["ratio"]["value"] < 10
    assert (stack.newest_run() / "gate.json").is_file()
    assert set(stack.containers()) == before


OWN_APP = """
import os

import humanize
from flask import Flask, request, session

app = Flask(__name__)
app.secret_key = os.environ["SHOP_SECRET"]


@app.get("/")
def start():
    return f"{humanize.__version__} {'X-Lab-Request' in request.headers}"


@app.post("/login")
def login():
    session["user"] = request.form["user"]
    return "welcome"


@app.post("/orders")
def order():
    return ("ordered for " + session["user"], 201) if "user" in session else ("log in", 401)
"""
OWN_TRAFFIC = """
[app]
app = "shop:app"
health = "/"

[traffic]
users = 2
login_data = "users.csv"

[[login]]
path = "/login"
method = "POST"
form = {user = "{user}"}

[[requests]]
name = "start"
weight = 3
path = "/"
expect = {text = "4.11.0 False"}

[[requests]]
name = "order"
method = "POST"
path = "/orders"
expect = {status = 201, text = "ordered for {user}"}
slo = "p95<5s"
"""


def test_an_app_of_the_users_own_is_measured_in_an_image_of_its_own(
    stack: Stack, main_job: str, tmp_path: Path
) -> None:
    before = set(stack.containers())
    files = {
        "shop.py": OWN_APP,
        "lab.toml": OWN_TRAFFIC,
        "requirements.txt": "flask\nhumanize==4.11.0\n",
        "users.csv": "user\nann\nbob\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    tmp_path.chmod(0o755)
    done = stack.lab(
        *("run", "--app-dir", str(tmp_path), "--servers", "gunicorn,uwsgi", "--env", "SHOP_SECRET=s3cret"),
        *("--rate", "20", "--rounds", "1", "--duration", "2"),
        DOCKER_CONFIG=str(CLIENT_CONFIG),  # the image is built with the network
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = stack.newest_run()
    for window in windows_of(folder):
        load = window["load"]
        assert (load["ok"], load["unexpected_text"]) == (40, 0), load
        assert {name: found["sent"] for name, found in load["by_request"].items()} == {
            "start": pytest.approx(30, abs=1),
            "order": pytest.approx(10, abs=1),
        }
        assert window["usage"]["by_request"]["order"]["cpu_s"] > 0
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["slo"] == "p99<250ms; order: p95<5000ms"
    assert "s3cret" not in "".join(path.read_text() for path in folder.iterdir())
    assert set(stack.containers()) == before, "the stack goes on"
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.port('GUNICORN_PORT')}/mix", timeout=30) as answer:
        assert answer.status == 200, "with the lab's own app"


def test_the_host_starts_servers_anew_and_reads_their_logs_for_the_runner(stack: Stack, main_job: str) -> None:
    done = stack.lab(
        *("run", "--servers", "dev,gunicorn", "--slots", "2", "--workload", "/nothing", "--rate", "20"),
        *("--rounds", "2", "--duration", "1"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((stack.newest_run() / "verdict.json").read_text())
    starts = {row["server"]: [load["starts"] for load in row["loads"]] for row in verdict["servers"]}
    assert starts == {"dev": [2], "gunicorn-2": [2]}
    assert verdict["fresh_starts"] == 2
    said = {log["server"]: "\n".join(log["lines"]) for log in verdict["logs"]}
    assert '"GET /nothing HTTP/1.1" 404 -' in said["dev"]
    assert '"GET /nothing HTTP/1.1" 404 -' in done.stdout, "what files say, the terminal says"


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


# ── locked in ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ports_are_published_on_loopback_only(stack: Stack, main_job: str) -> None:
    for name, each in stack.containers().items():
        for bindings in (each["HostConfig"]["PortBindings"] or {}).values():
            assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}, name


def test_containers_give_up_every_privilege(stack: Stack, main_job: str) -> None:
    for name, each in stack.containers().items():
        host = each["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert not host["Privileged"], name
        assert host["Memory"] > 0, name
        assert 0 < host["PidsLimit"] <= 4096, name
        assert host["CpusetCpus"], name
        assert each["Config"]["User"].split(":")[0] not in ("", "0", "root"), name
        own_network = f"{stack.environment['COMPOSE_PROJECT_NAME']}_default"
        alone = name in ("image", "prometheus-setup")
        assert host["NetworkMode"] == ("none" if alone else own_network), name
        assert host["IpcMode"] != "host", name
        assert host["PidMode"] == "" or (name == "nginx-exporter" and host["PidMode"].startswith("container:")), name
        assert not any("docker.sock" in mount["Source"] for mount in each["Mounts"]), name


def test_processes_really_run_without_root_or_capabilities(stack: Stack, main_job: str) -> None:
    for service in ("dev", "gunicorn", "uwsgi", "nginx"):
        status = stack.inside(service, "cat", "/proc/1/status")
        assert re.search(r"^Uid:\s+10001\s", status, re.MULTILINE), service
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), service
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), service


def test_the_uwsgi_protocol_is_reachable_by_nginx_alone(stack: Stack, main_job: str) -> None:
    """There is no port for it: whoever can speak it can run code. Its socket is in a volume of four containers."""
    holders = {
        name
        for name, each in stack.containers().items()
        if any(m["Destination"] == "/run/sockets" for m in each["Mounts"])
    }
    assert holders == {"nginx", "uwsgi", "uwsgi-single", "gunicorn-nginx"} & set(stack.containers())
    for service in ("uwsgi", "uwsgi-single"):
        assert not stack.containers()[service]["HostConfig"]["PortBindings"]
        tables = stack.inside(service, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        listening = {int(line.split()[1].rpartition(":")[2], 16) for line in tables.splitlines() if " 0A " in line}
        docker_dns = {port for port in listening if port > 30000}
        assert listening - docker_dns == {9100}, "the exporter alone listens"


def test_no_debugger_answers(stack: Stack, main_job: str) -> None:
    for variable in ("DEV_SINGLE_PORT", "DEV_PORT"):
        url = f"http://127.0.0.1:{stack.port(variable)}"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/console")
        with urllib.request.urlopen(f"{url}/?__debugger__=yes&cmd=resource&f=debugger.js") as answer:
            assert b"Hello" in answer.read()


# ── Grafana, where its image can be had ─────────────────────────────────────────────────────────────────────────────


def test_grafana_opens_on_side_by_side_without_a_login(stack: Stack, main_job: str) -> None:
    image = json.loads(stack.compose("config", "--format", "json").stdout)["services"]["grafana"]["image"]
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"Grafana: its image {image} is not on this machine, so its container was not run")
    stack.compose("up", "--detach", "--wait", "grafana")
    url = f"http://127.0.0.1:{stack.port('GRAFANA_PORT')}"
    with urllib.request.urlopen(f"{url}/api/dashboards/home") as answer:
        assert json.load(answer)["dashboard"]["uid"] == "side-by-side"
    with urllib.request.urlopen(f"{url}/api/datasources/uid/prometheus/health") as answer:
        assert json.load(answer)["status"] == "OK"
    with pytest.raises(urllib.error.HTTPError, match=r"40[13]"):
        urllib.request.urlopen(urllib.request.Request(f"{url}/api/dashboards/db", data=b"{}", method="POST"))
