"""Apps and settings that people report trouble with, served by real servers: what was measured counts, and its cause is
named. Four runs serve most of the tests, with a window for each fault."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support import Lab, lab_environment

APPS = Path(__file__).parent / "apps"
TRIES = 3
"""A machine that is busy with something else voids a window, and rightly so: then it is measured again."""
AT_ONCE = {
    "blocks": "gunicorn-gevent,MOOD=blocks,GUNICORN_CMD_ARGS=--preload",
    "overlaps": "gunicorn-gevent,MOOD=blocks",
    "redirects": "gunicorn,MOOD=redirects",
    "fails": "gunicorn,MOOD=fails",
    "host": "gunicorn,MOOD=host",
    "twice": "gunicorn,MOOD=calls itself",
}
"""Moods that each request shows."""
IN_TIME = {
    "twentieth": "gunicorn-gthread,MOOD=twentieth",
    "timeout": "gunicorn,MOOD=slow,GUNICORN_CMD_ARGS=--timeout=1",
    "crowd": "waitress,MOOD=slow",
    "exits": "gunicorn,MOOD=exits",
    "leaves": "gunicorn,MOOD=leaves",
    "burns": "uwsgi,MOOD=burns",
    "keeps": "gunicorn,MOOD=keeps,GUNICORN_WORKERS=1",
    "stuck": "dev-single,MOOD=calls itself",
    "sometimes": "gunicorn,MOOD=sometimes calls itself",
    "stuck-later": "dev-single,MOOD=sometimes calls itself",
}
"""Moods that want several seconds: a limit of time, one request in many, a CPU's share, memory that grows."""
SETTINGS = {
    "threads": "gunicorn,GUNICORN_CMD_ARGS=--threads=8",
    "cheaper": "uwsgi,UWSGI_CHEAPER=1",
    "churn": "gunicorn,GUNICORN_CMD_ARGS=--max-requests=20",
}
LONG_LINE = ("dev", "gunicorn", "uwsgi", "uwsgi-http", "waitress")

Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, own_ports: dict[str, str]) -> Lab:
    results = tmp_path_factory.mktemp("results")
    return Lab(lab_environment(results, own_ports), results)


def measured(lab: Lab, servers: Sequence[str], variants: dict[str, str], *arguments: object) -> Rows:
    """Each of them by its name, from a run with these arguments."""
    rows: Rows = {}
    for number in range(TRIES):
        asked = [f"--variant={name}={variants[name]}" for name in variants if name not in rows]
        names = [name for name in (*servers, *variants) if name not in rows]
        if names:
            folder = lab.results / f"{len(list(lab.results.iterdir()))}-{number}"
            done = lab("run", "--rounds", "1", "--servers", ",".join(names), *asked, *arguments, "--out", folder)
            assert done.returncode in (0, 5), done.stdout + done.stderr
            found = json.loads((folder / "verdict.json").read_text())["servers"]
            rows |= {row["server"]: row for row in found if row["loads"][0]["windows"]}
            void = [row["why"] for row in found if not row["loads"][0]["windows"]]
            assert all("k6" in reason for reason in _void_reasons(folder)), void
    missing = {*servers, *variants} - rows.keys()
    assert not missing, f"void in {TRIES} tries: {missing}"
    return rows


def _void_reasons(folder: Path) -> list[str]:
    return [void["reason"] for void in json.loads((folder / "verdict.json").read_text())["void_windows"]]


@pytest.fixture(scope="module")
def moods(lab: Lab) -> Rows:
    """One app with a fault for each variant."""
    app = ("--app", "moods:app", "--app-dir", APPS, "--workload", "/")
    asked = (*app, "--rate", "60", "--duration")
    return measured(lab, (), AT_ONCE, *asked, "1") | measured(lab, (), IN_TIME, *asked, "3")


@pytest.fixture(scope="module")
def settings(lab: Lab) -> Rows:
    """The lab's own app under settings that no label knows."""
    return measured(lab, ("gunicorn",), SETTINGS, "--workload", "/io?ms=40", "--rate", "120", "--duration", "2")


@pytest.fixture(scope="module")
def long_line(lab: Lab) -> Rows:
    """A request line of 4,500 letters."""
    return measured(lab, LONG_LINE, {}, "--workload", "/?" + "x" * 4500, "--rate", "30", "--duration", "1")


@pytest.mark.parametrize(
    ("mood", "rating", "why"),
    [
        (
            "blocks",
            "bad",
            r"requests do not overlap inside a worker \(1000 at once were expected\), "
            r"so 2 slots ÷ [\d.]+ ms = \d+ rps: something blocks under gevent \(patched after the app's imports\?\); ",
        ),
        ("twentieth", "bad", r"the app itself: 1 request in (1[89]|2\d) takes 1(\.\d)? s inside it; "),
        ("timeout", "bad", r"gunicorn killed its own worker \d+ times \(timeout 1 s\): not the kernel, not memory; "),
        ("crowd", "bad", r"the app itself takes 3\.\d s: no server can keep 250 ms; "),
        ("exits", "bad", r"workers died \d+ times \(exit status 1\); "),
        (
            "leaves",
            "bad",
            r"workers ended \d+ times with exit status 0, not by max_requests or a reload: by a signal",
        ),
        ("burns", "bad", r"limited by CPU: 1 CPU ÷ \d\d\.\d ms CPU per request = (1\d|20) rps, 60 rps offered; "),
        ("redirects", "bad", r"HTTP 302 to /login: a redirect is not followed, so name the path that it leads to[;,] "),
        ("fails", "bad", r"HTTP 500 from the app[;,] "),
        ("host", "bad", r"HTTP 400: the app does not serve this host \(Host: 127\.0\.0\.1:\d+\)[;,] "),
        ("stuck", "bad", r"(deadlock: the app calls itself, and )?its only slot is held by "),
        ("stuck-later", "bad", r"(deadlock: the app calls itself, and )?its only slot is held by "),
        ("overlaps", "good", r"2000 slots ÷ "),
        ("keeps", "good", r"1 slot ÷ "),
        ("twice", "good", r"4 slots ÷ "),
        ("sometimes", "good", r"4 slots ÷ "),
    ],
)
def test_each_fault_of_an_app_is_the_first_thing_that_is_said(moods: Rows, mood: str, rating: str, why: str) -> None:
    row = moods[mood]
    assert (row["verdict"], bool(re.match(why, row["why"]))) == (rating, True), row["why"]


def test_what_explains_nothing_is_said_as_well(moods: Rows) -> None:
    assert "the app counted two requests for each that k6 sent: does it call itself?" in moods["twice"]["why"]
    found = re.search(r"the app counted (1\.\d+) requests for each that k6 sent", moods["sometimes"]["why"])
    assert found, moods["sometimes"]["why"]
    assert float(found[1]) == pytest.approx(1.25, abs=0.05)
    assert re.search(r"memory grew by [12]\.\d\d MB per request: ", moods["keeps"]["why"]), moods["keeps"]["why"]
    assert "waitress holds 100 connections at most (connection_limit)" in moods["crowd"]["why"]
    for healthy in ("overlaps", "twentieth", "burns", "fails"):
        assert not re.search(r"died|memory|killed|call itself|connections", moods[healthy]["why"]), moods[healthy][
            "why"
        ]


def test_slots_are_those_that_were_seen(moods: Rows, settings: Rows) -> None:
    seen = {name: (row["slots"], row["slots_seen"]) for name, row in {**moods, **settings}.items()}
    assert seen["threads"][0] == 4
    assert settings["threads"]["slots_configured"] == 32, "gunicorn says so itself"
    assert re.match(r"32 slots configured (\(at least \d+ seen at once\) )?÷ 4", settings["threads"]["why"])
    assert seen["blocks"] == (2000, 2)
    assert seen["overlaps"] == (2000, None)
    assert seen["twentieth"] == (16, None)
    assert seen["churn"] == (4, None)
    assert settings["threads"]["verdict"] == "good", settings["threads"]["why"]
    # How many workers uWSGI adds in two seconds is its own affair.
    assert seen["cheaper"][0] == 8
    assert re.match(r"limited by slots: .* seen \(8 declared\)", settings["cheaper"]["why"]), settings["cheaper"]["why"]
    assert settings["gunicorn"]["why"].startswith("limited by slots: 4 slots ÷ 4")


def test_workers_that_are_replaced_all_the_time_are_named(settings: Rows) -> None:
    why = settings["churn"]["why"]
    found = re.match(r"workers replaced \d+ times \(max_requests\), each start costs (\d+\.\d+) s of CPU; ", why)
    assert found, why
    assert 0.01 < float(found[1]) < 3


def test_a_line_too_long_is_a_result_with_the_setting_that_refused_it(long_line: Rows) -> None:
    why = {name: row["why"].split(";")[0].split(", where")[0] for name, row in long_line.items()}
    assert why["gunicorn"] == "refused before the app: HTTP 414 by gunicorn (limit_request_line)"
    assert why["uwsgi"] == "refused before the app: HTTP 502 by nginx: uWSGI closed (buffer-size)"
    assert why["uwsgi-http"] == "refused before the app: closed without an answer by uWSGI (buffer-size)"
    assert {long_line[name]["verdict"] for name in ("dev", "waitress")} == {"good"}


def test_a_header_too_long_is_one_by_the_servers_own_account(lab: Lab, tmp_path: Path) -> None:
    """A cookie of 9 kB. Nothing but an answer's text, or a log, says which setting it was."""
    (tmp_path / "app.py").write_text(READS_NOTHING.replace('plain")]', 'plain"), ("Content-Length", "2")]'))
    (tmp_path / "lab.toml").write_text(
        f'[[requests]]\nname = "cookie"\npath = "/"\nheaders = {{Cookie = "a={"x" * 9000}"}}\n'
    )
    servers = ("dev", "gunicorn", "uwsgi", "uwsgi-http")
    rows = measured(lab, servers, {}, "--app-dir", tmp_path, "--rate", "30", "--duration", "1")
    why = {name: row["why"].split(";")[0].split(", where")[0] for name, row in rows.items()}
    assert why["gunicorn"] == "refused before the app: HTTP 431 by gunicorn (limit_request_field_size)"
    assert why["uwsgi"] == "refused before the app: HTTP 400 by nginx (large_client_header_buffers)"
    assert why["uwsgi-http"] == "refused before the app: closed without an answer by uWSGI (buffer-size)"
    assert rows["dev"]["verdict"] == "good"


READS_NOTHING = """
def app(environ, start_response):  # whatever is sent along
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
"""
"""Nor says how long its answer is: the client has it all when the connection closes in order."""


def test_where_answers_to_an_upload_that_is_not_read_differ_the_odd_server_is_named(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(READS_NOTHING)
    arguments = ("--app-dir", tmp_path, "--workload", "upload", "--rate", "30", "--duration", "1")
    rows = measured(lab, ("dev", "gunicorn", "uwsgi"), {}, *arguments)
    assert {rows[name]["verdict"] for name in ("dev", "gunicorn")} == {"good"}
    odd = (
        r"answered by the app, and cut off on the way by nginx or uWSGI(, where .* answered 200)?: does the app leave "
    )
    assert re.match(odd, rows["uwsgi"]["why"]), rows["uwsgi"]["why"]
