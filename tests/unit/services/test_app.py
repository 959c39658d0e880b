"""The app under test: what its routes cost, and what they refuse."""

from __future__ import annotations

import sys
import time

import pytest
from flask.testing import FlaskClient
from support import ROOT

sys.path.insert(0, str(ROOT / "services/app"))
from app import MAX_MS, MAX_UPLOAD_BYTES, app, burn_cpu


@pytest.fixture
def client() -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize(
    "path", ["/", "/io?ms=1", "/cpu?ms=1", "/mix?cpu=1&io=1", "/json", "/page", "/health", "/io?ms=0.5"]
)
def test_every_route_answers(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("route", ["/io?ms", "/cpu?ms", "/mix?cpu", "/mix?io"])
@pytest.mark.parametrize("value", ["", "abc", "-1", "nan", "inf", "1e9", str(MAX_MS + 1), "1,5"])
def test_a_bad_parameter_is_refused_with_a_sentence(client: FlaskClient, route: str, value: str) -> None:
    answer = client.get(f"{route}={value}")
    assert answer.status_code == 400
    assert answer.text.endswith(".\n")
    assert answer.text.startswith("'")


def test_what_a_refusal_repeats_is_no_page(client: FlaskClient) -> None:
    answer = client.get("/io?ms=<script>alert(1)</script>")
    assert answer.status_code == 400
    assert answer.mimetype == "text/plain"
    assert client.post("/upload", data=b"x" * (MAX_UPLOAD_BYTES + 1)).mimetype == "text/plain"


def test_cpu_is_burnt_by_cpu_time_not_by_the_clock() -> None:
    before = time.thread_time()
    burn_cpu(20)
    assert time.thread_time() - before >= 0.020


def test_an_upload_is_counted(client: FlaskClient) -> None:
    assert client.post("/upload", data=b"x" * 100_000).get_json() == {"bytes": 100_000}


def test_an_upload_that_is_too_large_is_refused(client: FlaskClient) -> None:
    assert client.post("/upload", data=b"x" * (MAX_UPLOAD_BYTES + 1)).status_code == 413
