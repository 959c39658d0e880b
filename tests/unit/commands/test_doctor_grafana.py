"""What `./lab doctor --grafana` says about servers that answer as Grafana does, and about some that do not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hostile import always, hostile, ok
from support import ROOT

from wsgilab.commands.doctor_grafana import examine
from wsgilab.lab.servers import load_lab
from wsgilab.model.finding import MISSING, ODD, OK, Finding
from wsgilab.view.dashboards import load_dashboards

LAB = load_lab(ROOT, {})
DASHBOARDS = load_dashboards(ROOT / "grafana/dashboards")
Json = dict[str, Any]


class Grafana(ThreadingHTTPServer):
    """The addresses that the doctor asks, answered as Grafana's documentation and source say; tests change them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.queries: list[Json] = []
        self.answers: dict[str, tuple[int, Any]] = {
            "/api/health": (200, {"commit": "0000", "database": "ok", "version": "13.2.3"}),
            "/api/datasources/uid/prometheus/health": (
                200,
                {"message": "Successfully queried the Prometheus API.", "status": "OK"},
            ),
            "/api/dashboards/home": (200, board("side-by-side", provisioned=False)),
            **{f"/api/dashboards/uid/{uid}": (200, board(uid, provisioned=True)) for uid in DASHBOARDS},
        }
        self.result: Callable[[Json], Json] = has_data

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        if path != "/api/ds/query":
            return self.answers.get(path, (404, {"message": "Not found", "messageId": "not-found"}))
        asked = json.loads(body)
        self.queries += asked["queries"]
        results = {query["refId"]: self.result(query) for query in asked["queries"]}
        status = 400 if any(result.get("error") for result in results.values()) else 200
        return status, {"results": results}


def board(uid: str, *, provisioned: bool) -> Json:
    return {"meta": {"provisioned": provisioned, "folderTitle": "WSGI Lab"}, "dashboard": {"uid": uid, "panels": []}}


def has_data(query: Json) -> Json:
    return {"status": 200, "frames": [frame([1.0, 2.0], server="uwsgi" if "group by" in query["expr"] else "gunicorn")]}


def frame(values: list[float], **labels: str) -> Json:
    fields = [{"name": "Time", "type": "time"}, {"name": "Value", "type": "number", "labels": labels}]
    times = [1000 * number for number in range(len(values))]
    return {"schema": {"refId": "A", "fields": fields}, "data": {"values": [times, values]}}


class _Handler(BaseHTTPRequestHandler):
    server: Grafana

    def do_GET(self) -> None:
        status, answer = self.server.answer(self.path, self.rfile.read(int(self.headers.get("Content-Length", 0))))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with Grafana() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def looked_at(grafana: Grafana) -> list[Finding]:
    return list(examine(LAB, grafana.url))


def faults(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.state != OK]


def test_all_is_well_where_it_is(grafana: Grafana) -> None:
    findings = looked_at(grafana)
    assert faults(findings) == []
    assert [finding.what for finding in findings] == [
        *("Grafana", "Data source", "Home", *["Dashboard"] * len(DASHBOARDS), "Panels"),
    ]
    assert "WSGI Lab" in findings[3].said


def test_every_panel_is_asked_what_it_would_ask_itself(grafana: Grafana) -> None:
    looked_at(grafana)
    assert [query["expr"] for query in grafana.queries if "$" in query["expr"]] == []
    assert {query["datasource"]["uid"] for query in grafana.queries} == {"prometheus"}
    # With a server that was measured, one behind nginx if there is one.
    assert {query["expr"] for query in grafana.queries} >= {'server:nginx_seconds:mean{server="uwsgi"}'}
    assert len(grafana.queries) > 50


def test_a_dashboard_that_does_not_open_is_named(grafana: Grafana) -> None:
    grafana.answers["/api/dashboards/uid/capacity"] = (404, {"message": "Dashboard not found", "traceID": ""})
    (fault,) = faults(looked_at(grafana))
    assert (fault.state, fault.what) == (MISSING, "Dashboard")
    assert "capacity does not open: HTTP 404" in fault.said
    assert "Dashboard not found" in fault.said


def test_a_dashboard_that_somebody_else_put_there_is_named(grafana: Grafana) -> None:
    grafana.answers["/api/dashboards/uid/capacity"] = (200, board("capacity", provisioned=False))
    (fault,) = faults(looked_at(grafana))
    assert "not the one of this lab's files" in fault.said


def test_a_data_source_that_does_not_answer_is_named_with_its_reason(grafana: Grafana) -> None:
    said = {"message": "Unauthorized", "status": "ERROR"}
    grafana.answers["/api/datasources/uid/prometheus/health"] = (400, said)
    (fault,) = faults(looked_at(grafana))
    assert (fault.state, fault.said) == (MISSING, "Prometheus cannot be asked: Unauthorized")


def test_another_home_page_is_odd(grafana: Grafana) -> None:
    grafana.answers["/api/dashboards/home"] = (200, board("welcome", provisioned=False))
    (fault,) = faults(looked_at(grafana))
    assert (fault.state, fault.what) == (ODD, "Home")


def test_a_panel_whose_query_fails_is_named_with_its_reason(grafana: Grafana) -> None:
    def fails(query: Json) -> Json:
        if "p99" in query["expr"] and "max by" in query["expr"]:
            return {"status": 400, "error": "bad_data: parse error", "errorSource": "downstream", "frames": []}
        return has_data(query)

    grafana.result = fails
    found = faults(looked_at(grafana))
    assert {fault.what for fault in found} == {"Panel"}
    assert "side-by-side: Latest values, worst p99 first fails: C: bad_data: parse error" in [f.said for f in found]


def test_panels_without_data_are_counted_and_named(grafana: Grafana) -> None:
    grafana.result = lambda query: (
        {"frames": [frame([])]} if query["expr"].startswith("server:memory") else has_data(query)
    )
    (fault,) = faults(looked_at(grafana))
    assert (fault.state, fault.what) == (ODD, "Panels")
    assert "side-by-side: Memory" in fault.said


def test_before_the_first_run_there_is_no_fault_but_a_command(grafana: Grafana) -> None:
    grafana.result = lambda _query: {"frames": []}
    (fault,) = faults(looked_at(grafana))
    assert (fault.state, fault.fix) == (ODD, "docker compose run --rm runner run --quick")


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"null", b'{"database": 5}', b'{"database": "failing"}', b"[" * 100_000, b"\xff"]
)
def test_what_is_no_grafana_is_no_fault_of_the_lab(body: bytes) -> None:
    with hostile(always(ok(body))) as server:
        (finding,) = examine(LAB, server.url)
    assert (finding.what, finding.state) == ("Grafana", MISSING)


@pytest.mark.parametrize("answer", [{}, {"results": 5}, {"results": {"A": None}}, {"results": {"A": {"frames": [1]}}}])
def test_nonsense_in_place_of_data_is_named(grafana: Grafana, monkeypatch: pytest.MonkeyPatch, answer: Json) -> None:
    usual = grafana.answer
    monkeypatch.setattr(
        grafana, "answer", lambda path, body: (200, answer) if path == "/api/ds/query" else usual(path, body)
    )
    (fault,) = faults(looked_at(grafana))
    assert (fault.what, fault.state) == ("Panels", MISSING)


def test_nobody_there_is_said_with_the_command_that_starts_it() -> None:
    with hostile(always(b"")) as server:
        gone = server.url
    (finding,) = examine(LAB, gone)
    assert (finding.state, finding.fix) == (MISSING, "docker compose up --detach grafana")
