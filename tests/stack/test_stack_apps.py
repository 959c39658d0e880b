"""What `./lab` on the host measures next to a real stack: variants, revisions, apps of the user's own."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest
from compose_stack import CLIENT_CONFIG, Stack
from support import windows_of


def test_variants_run_in_containers_of_their_own_beside_the_stack(stack: Stack, main_job: str) -> None:
    before = set(stack.containers())
    few = "few=uwsgi,UWSGI_PROCESSES=1,UWSGI_THREADS=1"
    done = stack.lab(
        *("run", "--servers", "gunicorn", "--variant", "eight=gunicorn,GUNICORN_WORKERS=8", "--variant", few),
        *("--rate", "20", "--rounds", "1", "--duration", "1", "--generators", "2"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    windows = {window["plan"]["server"]: window for window in windows_of(stack.newest_run())}
    assert {name: window["load"]["ok"] for name, window in windows.items()} == {"gunicorn": 20, "eight": 20, "few": 20}
    assert [window["void"] for window in windows.values()] == [None] * 3
    for window in windows.values():
        assert [share["sent"] for share in window["load"]["generators"]] == [10, 10], "the wish reaches the runner"
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
