"""The home page: what it shows of the present, of the last run, and of where to look."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from factories import story
from hostile import Hostile, hostile, ok
from shown import LAB, runs_of, sources_of, write_run
from support import wait_for

from wsgilab.machine.ports import free_ports
from wsgilab.results.judged import judge
from wsgilab.view import live
from wsgilab.view.addresses import Place
from wsgilab.view.events import SEATS, Seats, event
from wsgilab.view.home import remark, right_now, said, status
from wsgilab.view.live import Flow, Live, Load, Now
from wsgilab.view.picture import MOST_DOTS, MOST_SQUARES, picture
from wsgilab.view.prometheus import Prometheus
from wsgilab.view.refusal import NotShown
from wsgilab.view.runs import Progress, Runs
from wsgilab.view.server import Site

NOBODY = "http://127.0.0.1:1"
BUSY = Flow("gunicorn", Load.MEASURED, 100.0, 61.0, 39.2, waiting=12.0, busy=4.0, slots=4, p99_s=1.234)
PLACE = Place("127.0.0.1", LAB, NOBODY)


def recorded(*samples: tuple[str, str, float]) -> bytes:
    """Prometheus's answer: (series, server, value) of each."""
    result = [
        {"metric": {"__name__": name, "server": server}, "value": [time.time(), str(value)]}
        for name, server, value in samples
    ]
    return ok(json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode())


@pytest.fixture
def prometheus() -> Iterator[Hostile]:
    """One that says that gunicorn is under load."""
    answer = recorded(
        ("server:load_state", "gunicorn", 2),
        ("server:load_state", "dev", 0),
        ("server:load_state", "waitress", 0),
        ("server:load_state", "uwsgi", -1),
        ("server:offered:rate", "gunicorn", 250),
        ("server:goodput:rate", "gunicorn", 160),
        ("server:failed:rate", "gunicorn", 3),
        ("server:dropped:rate", "gunicorn", 4),
        ("server:requests_in_flight", "gunicorn", 8),
        ("server:listen_queue", "gunicorn", 33),
        ("server:response_time_seconds:p99", "gunicorn", 0.9),
        ("runner_server_slots", "gunicorn", 8),
    )
    with hostile(lambda exchange: exchange.send(answer)) as server:
        yield server


def live_of(results: Path, url: str) -> Live:
    return Live(LAB, runs_of(results), Prometheus(url))


# ── what is known of the present ────────────────────────────────────────────────────────────────────────────────────


def test_what_prometheus_recorded_is_shown_with_the_slots_as_they_run(tmp_path: Path, prometheus: Hostile) -> None:
    now = live_of(tmp_path, prometheus.url).now()
    flows = {flow.server: flow for flow in now.flows}
    assert list(flows) == [*LAB.default_servers, "waitress"], "the usual five, and whoever runs besides"
    assert flows["gunicorn"] == Flow("gunicorn", Load.MEASURED, 250, 160, 7, waiting=33, busy=8, slots=8, p99_s=0.9)
    assert (flows["dev"].load, flows["uwsgi"].load) == (Load.IDLE, Load.DOWN)
    assert flows["dev-single"] == Flow("dev-single", Load.DOWN, slots=1)
    assert now.missing == ""


def test_prometheus_is_asked_once_a_second_whoever_looks_and_never_when_nobody_does(
    tmp_path: Path, prometheus: Hostile
) -> None:
    shown = live_of(tmp_path, prometheus.url)
    assert prometheus.asked == []
    for _ in range(50):
        shown.now()
    assert len(prometheus.asked) == 1


def test_the_results_are_read_once_for_each_look(
    tmp_path: Path, prometheus: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    under_way = Runs.under_way
    monkeypatch.setattr(Runs, "under_way", lambda runs: read.append(runs.folder) or under_way(runs))
    live_of(tmp_path, prometheus.url).now()
    assert read == [tmp_path]


def test_a_fault_of_the_page_itself_is_not_shown_as_servers_that_are_down(
    tmp_path: Path, prometheus: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_series: object) -> dict[str, dict[str, float]]:
        raise RuntimeError("a fault")

    told = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _raised: told.set())
    monkeypatch.setattr(live, "by_server", fails)
    now = live_of(tmp_path, prometheus.url).now()
    assert told.wait(30)
    assert now.missing == live.FAILED
    assert {flow.load for flow in now.flows} == {Load.UNKNOWN}


def test_without_prometheus_the_folder_of_the_run_says_whose_turn_it_is(tmp_path: Path) -> None:
    windows = story(rounds=1)
    folder = write_run(tmp_path / "run", windows, finished_at=None)
    lines = (folder / "windows.jsonl").read_text().splitlines(keepends=True)
    (folder / "windows.jsonl").write_text("".join(lines[:7]))
    now = live_of(tmp_path, NOBODY).now()
    due = windows[7].plan
    assert now.progress == Progress("run", 7, 10, due.server, due.rate_rps, 1, tuple(LAB.default_servers))
    assert [flow.server for flow in now.flows if flow.at_work] == [due.server]
    assert "127.0.0.1:1" in now.missing
    assert status(now) == f"A run is under way: {due.server} gets {due.rate_rps:g} rps, round 1."


def test_where_a_browser_clicks_blocks_are_counted(tmp_path: Path) -> None:
    windows = story(rounds=1)
    order = tuple((1, server, rate) for server in ("dev", "gunicorn") for rate in (0.0, 100.0))
    folder = write_run(tmp_path / "run", windows, finished_at=None, command="vitals", order=order)
    (folder / "blocks.jsonl").write_text("{}\n{}\n")
    now = live_of(tmp_path, NOBODY).now()
    assert now.progress == Progress("run", 2, 4, "gunicorn", 0.0, 1, ("dev", "gunicorn"), unit="block")
    assert status(now) == "A run is under way: gunicorn gets no load but a browser's clicks, round 1."
    assert "2 of 4 blocks" in right_now(PLACE, now)


def test_a_run_that_was_killed_is_not_under_way_for_ever(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", story(rounds=1)[:3], finished_at=None)
    assert runs_of(tmp_path).under_way()
    for path in folder.iterdir():
        os.utime(path, (time.time() - 300, time.time() - 300))
    assert runs_of(tmp_path).under_way() is None


def test_a_search_is_under_way_without_an_order(tmp_path: Path) -> None:
    write_run(tmp_path / "run", story(rounds=1)[:3], finished_at=None, command="capacity", order=None)
    assert runs_of(tmp_path).under_way() == Progress("run", 3, None, None, None, None, ())


def test_nonsense_from_prometheus_is_named(tmp_path: Path) -> None:
    with hostile(lambda exchange: exchange.send(recorded(("server:load_state", "dev", float("nan"))))) as server:
        assert live_of(tmp_path, server.url).now().missing == ""
    with hostile(lambda exchange: exchange.send(ok(b"<html>"))) as server:
        assert "not an answer from Prometheus" in live_of(tmp_path, server.url).now().missing


# ── as words and as a picture ───────────────────────────────────────────────────────────────────────────────────────


def test_a_server_under_load_is_told_in_words() -> None:
    expected = "100 rps arrive · 12 in the queue · 4 of 4 slots busy · 61 rps answered · 39 rps fail · p99 1.2 s"
    assert said(BUSY) == expected
    assert said(Flow("dev", Load.IDLE)) == "no limit to requests at once"
    assert said(Flow("dev", Load.MEASURED, busy=31.0)) == "31 in the app"
    assert said(Flow("gunicorn", Load.MEASURED, arriving_rps=100.0, slots=4)) == "100 rps arrive · 4 slots"


@pytest.mark.parametrize(
    ("flow", "busy", "free", "more", "dots"),
    [
        (BUSY, 4, 0, 0, MOST_DOTS),
        (Flow("dev-single", Load.IDLE, slots=1), 0, 1, 0, 0),
        (Flow("uwsgi", Load.MEASURED, busy=3.0, waiting=2.0, slots=8), 3, 5, 0, 2),
        (Flow("dev", Load.MEASURED, busy=5.0), 5, 0, 1, 0),
        (Flow("dev", Load.MEASURED, busy=500.0), MOST_SQUARES, 0, 0, 0),
        (Flow("gevent", Load.MEASURED, busy=50.0, slots=2000), 1, 1, 0, 0),
    ],
)
def test_slots_and_queue_are_drawn_as_many_as_there_are(flow: Flow, busy: int, free: int, more: int, dots: int) -> None:
    drawn = picture(flow, "#0072B2", None)
    kinds = [len(re.findall(f'class="{kind}', drawn)) for kind in ("slot busy", "slot free", "slot more", "waiting")]
    assert kinds == [busy, free, more, dots]


def test_requests_move_only_where_there_are_any_and_the_faster_the_more() -> None:
    def paces(rps: float) -> list[float]:
        return [
            float(pace)
            for pace in re.findall(r"--pace: ([\d.]+)s", picture(replace(BUSY, arriving_rps=rps), "#000", None))
        ]

    assert paces(10)[0] > paces(100)[0] > paces(1000)[0] >= 0.2
    assert "moving" not in picture(Flow("dev", Load.IDLE), "#000", None)


def test_what_is_no_server_of_the_lab_can_do_no_harm() -> None:
    odd = "<script>alert(1)</script>"
    page = right_now(PLACE, Now((Flow(odd, Load.MEASURED),), missing=odd))
    assert odd not in page
    assert "&lt;script&gt;" in page


# ── the whole page ──────────────────────────────────────────────────────────────────────────────────────────────────


def page_of(site: Site, path: str = "/") -> str:
    port = site.url.rpartition(":")[2].strip("/")
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def test_the_page_holds_the_last_run_with_intervals_and_leads_everywhere(tmp_path: Path, prometheus: Hostile) -> None:
    write_run(tmp_path / "20261126T010000Z-run", story())
    with Site(0, sources_of(tmp_path, prometheus.url)) as site:
        page = page_of(site)
        assert "The lesson" not in page_of(site, "/runs/nothing")
        assert "The lesson's table, measured" in page_of(site, "/runs/20261126T010000Z-run").replace("&#39;", "'")
    for server in LAB.default_servers:
        assert f'href="http://127.0.0.1:{LAB.servers[server].port}/"' in page
    assert re.search(r'<span class="figure">[\d.]+ ms</span> <span class="interval">\([\d.]+–[\d.]+\)', page)
    for address in ("/d/side-by-side", "/lesson", "/docs", "/runs/20261126T010000Z-run", f"{prometheus.url}/"):
        assert f'href="{address}"' in page, address
    assert "gunicorn is under load" in page, "readable without a script"


def test_a_run_under_way_hides_nothing_of_the_last_one(tmp_path: Path) -> None:
    write_run(tmp_path / "1-run", story())
    write_run(tmp_path / "2-run", story()[:4], finished_at=None)
    write_run(tmp_path / "3-run", [])
    (tmp_path / "4-run").mkdir()
    (tmp_path / "4-run/manifest.json").write_text("{")
    found = runs_of(tmp_path).last()
    assert found
    assert found.name == "1-run"


def test_a_run_is_judged_once_and_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []
    monkeypatch.setattr("wsgilab.view.runs.judge", lambda *what: judged.append(1) or judge(*what))
    folder = write_run(tmp_path / "1-run", story(rounds=1))
    runs = runs_of(tmp_path)
    assert runs.last() == runs.last()
    assert len(judged) == 1
    with (folder / "windows.jsonl").open("a") as file:
        file.write("\n")
    os.utime(folder / "windows.jsonl", (1, 1))
    assert runs.last()
    assert len(judged) == 2
    for changed in (2, 3):  # as copied by a program that gives all files one time
        for name in ("windows.jsonl", "manifest.json"):
            os.utime(folder / name, (changed, changed))
        assert runs.last()
        assert len(judged) == changed + 1


def test_with_nothing_anywhere_the_page_says_what_to_do(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with Site(0, sources_of(tmp_path, f"http://127.0.0.1:{port}")) as site:
        page = page_of(site)
    assert "Nothing has been measured yet" in page
    assert "./lab run --prometheus" in page
    assert f"127.0.0.1:{port}" in page, "why queues and slots are not known"


def test_in_compose_links_lead_to_the_published_ports_and_dashboards_to_grafana(
    tmp_path: Path, prometheus: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsgilab.view.html_pages.GRAFANA_INSIDE", prometheus.url)
    with Site(0, sources_of(tmp_path, "http://lab:secret@prometheus:9090", in_container=True)) as site:
        page = page_of(site)
        port = int(site.url.rpartition(":")[2].strip("/"))
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("GET", "/d/capacity", headers={"Host": "192.168.1.7:8080"})
            answer = connection.getresponse()
    monkeypatch.setattr("wsgilab.view.html_pages.GRAFANA_INSIDE", NOBODY)
    with Site(0, sources_of(tmp_path, NOBODY, in_container=True)) as site:
        assert "docker compose up --detach grafana" in page_of(site, "/d/capacity")
    assert answer.headers["Location"] == "http://192.168.1.7:3000/d/capacity"
    assert 'href="http://127.0.0.1:9090/"' in page
    assert "secret" not in page
    assert "docker compose run --rm runner run" in page


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def reader(site: Site) -> socket.socket:
    port = int(site.url.rpartition(":")[2].strip("/"))
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection


def test_a_reader_is_told_at_once_and_again_when_something_changes(tmp_path: Path, prometheus: Hostile) -> None:
    with Site(0, sources_of(tmp_path, prometheus.url)) as site, reader(site) as connection:
        lines = connection.makefile("rb")
        head = b"".join(iter(lines.readline, b"\r\n"))
        assert b"text/event-stream" in head
        assert b"gunicorn is under load" in b"".join(iter(lines.readline, b"\n"))
        prometheus.answer = lambda exchange: exchange.send(recorded(("server:load_state", "dev", 1)))
        while b"dev is under load" not in lines.readline():
            pass


def test_many_tabs_do_not_exhaust_it_and_a_seat_that_is_left_is_free_again(tmp_path: Path, prometheus: Hostile) -> None:
    with Site(0, sources_of(tmp_path, prometheus.url)) as site, contextlib.ExitStack() as seats:
        readers = [seats.enter_context(reader(site)) for _ in range(SEATS)]
        for connection in readers:
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        with reader(site) as late:
            assert late.recv(100).startswith(b"HTTP/1.1 503")
        assert "gunicorn is under load" in page_of(site, "/live/now"), "those without a seat ask"
        readers[0].close()

        def is_free() -> bool:
            with reader(site) as another:
                return another.recv(15) == b"HTTP/1.1 200 OK"

        wait_for(is_free, "the seat of the one who left")


def test_readers_are_sent_home_when_it_ends(tmp_path: Path, prometheus: Hostile) -> None:
    with contextlib.ExitStack() as stack:
        with Site(0, sources_of(tmp_path, prometheus.url)) as site:
            connection = stack.enter_context(reader(site))
            assert connection.recv(15)
        while connection.recv(65536):
            pass


def test_a_seat_is_freed_even_if_its_reader_never_began() -> None:
    seats = Seats(seats=1)
    stream = seats.take(lambda: "text", lambda: False)
    assert stream
    assert seats.take(lambda: "text", lambda: False) is None
    stream.close()
    stream.close()
    assert seats.take(lambda: "text", lambda: False)


def test_what_does_not_change_is_not_sent_again_and_silence_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def leaves() -> bool:
        asked.append(1)
        return len(asked) > 4

    monkeypatch.setattr("wsgilab.view.events.SILENCE_S", 0.0)
    stream = Seats(every_s=0.0).take(lambda: "a\nb", leaves)
    assert stream
    assert list(stream) == [event("a\nb"), *[b": still here\n\n"] * 3]
    assert event("a\nb") == b"data: a\ndata: b\n\n"


def test_the_question_to_prometheus_asks_for_recorded_series_only() -> None:
    rules = (LAB.root / "prometheus/rules.yaml").read_text()
    for name in live.RECORDED:
        assert f"record: {name}\n" in rules or name == "runner_server_slots"


def test_a_prometheus_that_is_silent_keeps_no_page_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE_S", 0.05)
    with hostile(lambda exchange: exchange.over.wait() and None) as server:
        now = live_of(tmp_path, server.url).now()
    assert [flow.server for flow in now.flows] == LAB.default_servers
    assert "has not answered" in now.missing or "timed out" in now.missing


def test_a_link_that_somebody_planted_in_the_results_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "results/1-run").mkdir(parents=True)
    (tmp_path / "results/1-run/report.html").symlink_to(tmp_path / "secret")
    with pytest.raises(NotShown, match="no report"):
        runs_of(tmp_path / "results").report("1-run")


def test_a_run_that_nobody_records_is_shown_as_far_as_its_folder_tells(tmp_path: Path) -> None:
    windows = story(rounds=1)
    folder = write_run(tmp_path / "run", windows, finished_at=None)
    (folder / "windows.jsonl").write_text("")
    with hostile(lambda exchange: exchange.send(recorded())) as server:
        now = live_of(tmp_path, server.url).now()
    loads = {flow.server: flow.load for flow in now.flows}
    assert loads.pop(windows[0].plan.server) is Load.MEASURED
    assert set(loads.values()) == {Load.IDLE}
    assert "./lab run --prometheus does" in remark(now)
