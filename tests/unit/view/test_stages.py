"""Where the time of a response went, as Prometheus recorded it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from factories import RUN, manifest, story
from hostile import hostile, ok

from wsgilab.analysis.pipeline import analyse
from wsgilab.machine.ports import free_ports
from wsgilab.view.lesson import SHARES, measured
from wsgilab.view.prometheus import Prometheus
from wsgilab.view.runs import Found
from wsgilab.view.stages import PARTS, Stages, stages

RAN = manifest(
    started_at="2026-03-01T12:00:00+00:00", rates_rps=[100.0, 250.0], servers=[{"name": "dev"}, {"name": "uwsgi"}]
)
START = 1772366400.0


def recorded(*moments: tuple[str, float, dict[str, float]]) -> bytes:
    """Prometheus's answer: (server, offered rate, seconds by series) of each second."""
    series: dict[tuple[str, str], list[list[object]]] = {}
    for second, (server, rate, seconds) in enumerate(moments):
        for name, value in {"server:offered:rate": rate, **seconds}.items():
            series.setdefault((name, server), []).append([START + second, str(value)])
    result = [
        {"metric": {"__name__": name, "server": server}, "values": values} for (name, server), values in series.items()
    ]
    return ok(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode())


def seconds(app: float, queue: float = 0.0, nginx: float | None = None) -> dict[str, float]:
    said = dict.fromkeys(PARTS, 0.001) | {"server:app_seconds:mean": app, "server:queue_seconds:mean": queue}
    if nginx is None:
        del said["server:nginx_seconds:mean"]
    else:
        said["server:nginx_seconds:mean"] = nginx
    return said


def found_in(answer: bytes) -> list[Stages]:
    with hostile(lambda exchange: exchange.send(answer)) as server:
        return stages(Prometheus(server.url), RAN)


def test_stages_are_means_over_the_seconds_in_which_a_rate_was_offered() -> None:
    answer = recorded(
        ("dev", 100.0, seconds(0.020)),
        ("dev", 101.0, seconds(0.024, queue=0.002)),
        ("dev", 250.0, seconds(0.022, queue=0.078)),
        ("dev", 30.0, seconds(9.0)),
        ("uwsgi", 100.0, seconds(0.022, nginx=0.0005)),
    )
    rounded = [
        (one.server, one.rate_rps, round(one.handling_ms, 3), round(one.processing_ms, 3), round(one.sending_ms, 3))
        for one in found_in(answer)
    ]
    assert rounded == [
        ("dev", 100.0, 2.0, 22.0, 1.0),
        ("uwsgi", 100.0, 1.5, 22.0, 1.0),
        ("dev", 250.0, 79.0, 22.0, 1.0),
    ]


def test_a_second_in_which_a_stage_is_not_known_does_not_count() -> None:
    incomplete = {name: value for name, value in seconds(0.02).items() if name != "server:connect_seconds:mean"}
    assert found_in(recorded(("dev", 100.0, incomplete))) == []


@pytest.mark.parametrize("answer", [ok(b"<html>"), b"", recorded(("dev", 100.0, seconds(float("nan"))))])
def test_what_prometheus_cannot_tell_is_left_out(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgilab.view.stages.PATIENCE_S", 0.3)
    assert found_in(answer) == []


@pytest.mark.parametrize(
    "changes",
    [{"started_at": None}, {"finished_at": "2026-03-01T12:03:05"}, {"finished_at": "2036-03-01T12:00:00+00:00"}],
)
def test_a_run_of_unknown_or_endless_time_is_not_asked_for(changes: dict[str, str | None]) -> None:
    (port,) = free_ports(1)
    assert stages(Prometheus(f"http://127.0.0.1:{port}"), replace(RAN, **changes)) == []


def test_the_lesson_shows_three_stages_where_they_are_known_and_two_where_not() -> None:
    run = Found("run", analyse(story(), RUN), RAN)
    three = str(measured(SHARES, run, [Stages("dev", 100.0, 2.0, 22.0, 1.0)]))
    assert "<td>8 % (2.00 ms)</td><td>88 % (22.0 ms)</td><td>4 % (1.00 ms)</td>" in three
    assert "tells handling from sending" in str(measured(SHARES, run))
