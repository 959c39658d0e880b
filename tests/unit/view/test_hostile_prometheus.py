"""Whatever answers in Prometheus's place: the page says what is wrong, where it is wrong, and stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hostile import Answer, Exchange, Hostile, always, dripping, endless, ok
from shown import answers_of
from support import ROOT

from wsgilab.view import answers
from wsgilab.view.dashboards import load_dashboards, panels

DASHBOARD = "capacity"
"""It has no variables: every question is one of a panel."""
ASKING = {
    panel["id"] for panel in panels(load_dashboards(ROOT / "grafana/dashboards")[DASHBOARD]) if "targets" in panel
}


def shown(prometheus: Hostile, answer: Answer, folder: Path, uid: str = DASHBOARD) -> dict[str, Any]:
    """What the page gets while Prometheus answers that."""
    prometheus.answer = answer
    found = answers_of(folder, prometheus.url).data(uid, {"var-server": "dev"})
    json.dumps(found, allow_nan=False)
    return found


def success(data: object) -> bytes:
    return ok(json.dumps({"status": "success", "data": data}).encode())


def series(**samples: object) -> bytes:
    return success({"result": [{"metric": {"server": "dev"}, **samples}]})


@pytest.mark.parametrize(
    "data",
    [
        success(None),
        success("text"),
        success([]),
        success({"result": None}),
        success({"result": [{"metric": {"a": "b"}}, 5, None]}),
        success({"result": [{"value": [1, "1"]}]}),
        success({"result": [{"metric": {"a": 1}}]}),
        series(value=[1, "abc"]),
        series(value=[None, "1"]),
        series(value=["1", "1"]),
        series(values=[[1, 1]]),
        series(values=[[-1, "1"]]),
        series(values=5),
        series(histograms=[[1, {"buckets": [[0, 1, 1, 1]]}]]),
        ok(b'{"status":"success","data":{"result":[{"metric":{},"values":[[NaN,"1"]]}]}}'),
        ok(b'{"status":"success","data":{"result":[{"metric":{},"values":[[1e999,"1"]]}]}}'),
        ok(b'{"status":"success","data":{"result":[{"metric":{},"values":[[%s,"1"]]}]}}' % (b"9" * 400)),
        ok(b'{"status":"success","data":' + b"[" * 200_000),
        ok(b"[" * 200_000),
        ok(b'{"status":'),
        ok(b"null"),
        ok(b"5"),
        ok(b"{}"),
        ok(b""),
        ok(b"\xff\xfe\x00"),
        ok(b'"\\ud800"'),
        ok(b"<html>another program</html>", status=b"404 Not Found"),
        ok(b"elsewhere", b"Location: http://127.0.0.1:9/", status=b"302 Found"),
        ok(b"", status=b"204 No Content"),
    ],
    ids=lambda data: data.partition(b"\r\n\r\n")[2][:60].decode(errors="replace"),
)
def test_nonsense_is_named_in_the_place_of_each_panel(prometheus: Hostile, tmp_path: Path, data: bytes) -> None:
    found = shown(prometheus, always(data), tmp_path)
    assert "problem" not in found
    assert set(found["problems"]) == ASKING
    assert all("not an answer from Prometheus" in problem for problem in found["problems"].values())


def test_one_answer_of_nonsense_takes_the_place_of_its_own_panel_alone(prometheus: Hostile, tmp_path: Path) -> None:
    good = prometheus.answer

    def answer(exchange: Exchange) -> None:
        if exchange.target == prometheus.asked[0]:
            exchange.send(success("text"))
        else:
            good(exchange)

    found = shown(prometheus, answer, tmp_path)
    assert 1 <= len(found["problems"]) < len(ASKING)


def test_what_prometheus_says_is_wrong_stands_in_the_place_of_the_panel(prometheus: Hostile, tmp_path: Path) -> None:
    said = json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error: <b>" + "x" * 9000}).encode()
    found = shown(prometheus, always(ok(said, status=b"400 Bad Request")), tmp_path)
    assert all("parse error: <b>" in problem for problem in found["problems"].values())
    assert max(map(len, found["problems"].values())) < 400


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (always(b"SSH-2.0-OpenSSH\r\n"), "SSH"),
        (always(b"\xff" * 70_000), ""),
        (dripping(b""), "timed out"),
        (dripping(b"HTTP/1.1 200 OK\r\nX: "), "timed out"),
        (dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"), "timed out"),
        (dripping(b"HTTP/1.1 200 OK\r\n\r\n"), "timed out"),
    ],
    ids=["no HTTP", "a long line", "status", "headers", "body", "no length"],
)
def test_a_prometheus_that_does_not_come_to_an_end_is_told_above_all_panels(
    prometheus: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, reason: str
) -> None:
    monkeypatch.setattr(answers, "PATIENCE_S", 0.3)
    found = shown(prometheus, answer, tmp_path)
    assert f"no answer from {prometheus.url}: " in found["problem"]["what"]
    assert reason in found["problem"]["what"]


def test_patience_is_for_all_questions_of_a_page_together(
    prometheus: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "PATIENCE_S", 0.5)
    good = prometheus.answer

    def slow(exchange: Exchange) -> None:
        exchange.over.wait(0.3)
        good(exchange)

    assert "timed out" in shown(prometheus, slow, tmp_path)["problem"]["what"]


def test_a_large_answer_is_not_read_to_its_end(prometheus: Hostile, tmp_path: Path) -> None:
    found = shown(prometheus, endless(b"HTTP/1.1 200 OK\r\n\r\n"), tmp_path)
    assert all("larger than 8 MB" in problem for problem in found["problems"].values())


def test_more_series_than_can_be_told_apart_are_not_drawn(prometheus: Hostile, tmp_path: Path) -> None:
    many = success({"result": [{"metric": {"n": str(n)}, "value": [1, "1"]} for n in range(1000)]})
    found = shown(prometheus, always(many), tmp_path)
    assert all("1000 series" in problem for problem in found["problems"].values())
    assert len(json.dumps(found)) < 100_000


def test_nonsense_for_the_list_of_servers_is_told_above_all_panels(prometheus: Hostile, tmp_path: Path) -> None:
    for data in (success([1, None]), success({"a": "b"}), ok(b"<html>")):
        found = shown(prometheus, always(data), tmp_path, "one-server")
        assert "not an answer from Prometheus" in found["problem"]["what"]


def test_numbers_that_no_chart_can_draw_are_gaps(prometheus: Hostile, tmp_path: Path) -> None:
    for text in ("NaN", "+Inf", "-Inf", "1e999"):
        found = shown(prometheus, always(series(value=[1, text], values=[[1, text], [1e11, text]])), tmp_path)
        assert found["problems"] == {}
        numbers = [
            value
            for panel in found["panels"].values()
            for target in panel.values()
            for one in target
            for value in one.get("values", [one.get("value")])
        ]
        assert set(numbers) == {None}
