"""A local run with a real Prometheus, and `./lab view` of it in a real browser."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import marks, require_chromium, visit
from hostile import Exchange, always, dripping, hostile, ok
from panel_data import faults, query, targets
from shown import sources_of
from support import ROOT, Lab, lab_environment, small_file_system, wait_for, windows_of

from wsgilab.errors import MissingError
from wsgilab.machine import http
from wsgilab.machine.ports import free_ports
from wsgilab.machine.tools import find_prometheus
from wsgilab.measure.remote_write import STALE, Series, encode, snappy, write
from wsgilab.view.dashboards import Span, load_dashboards, panels
from wsgilab.view.server import Site, find_library

SERVERS = ["dev", "gunicorn", "uwsgi"]
DASHBOARDS = load_dashboards(ROOT / "grafana/dashboards")
NOT_FOR_PROCESSES = "server:cpu_throttled:rate"
"""Of containers: a process of this machine may be in no control group with a quota to speak of."""


@pytest.fixture(scope="module")
def recorded(own_ports: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab with one run that a Prometheus recorded."""
    try:
        prometheus = find_prometheus()
    except MissingError as error:
        pytest.skip(f"{error.what} {error.cause}")
    results = tmp_path_factory.mktemp("view") / "results"
    results.mkdir()
    lab = Lab(lab_environment(results, own_ports) | {"LAB_PROMETHEUS": str(prometheus)}, results)
    servers = ("--servers", ",".join(SERVERS), "--rate", "30,60", "--rounds", "1", "--duration", "4")
    done = lab("run", "--prometheus", *servers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Prometheus" not in done.stderr, "nothing to say about it: it was there to the end"
    return lab


@pytest.fixture(scope="module")
def shown(recorded: Lab) -> Iterator[str]:
    """The address of `./lab view`."""
    (port,) = free_ports(1)
    view = recorded.start("view", "--port", port)
    view.says("Ctrl-C ends this.")
    yield f"http://127.0.0.1:{port}"
    view.signal(signal.SIGINT)
    assert view.ends() == 0, view.output
    assert "p99 of the queries" in view.output


def prometheus_of(lab: Lab) -> str:
    """Its address, with the password that is kept beside its data."""
    return (lab.results / ".prometheus/url").read_text()


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return dict(json.load(answer))


def span_of_the_run(shown: str) -> tuple[int, int]:
    (run,) = get(f"{shown}/api/dashboards")["runs"]
    return run["since"], run["until"]


def test_the_first_page_and_the_lesson_show_the_run(shown: str) -> None:
    with urllib.request.urlopen(f"{shown}/", timeout=30) as answer:
        page = answer.read().decode()
    (run,) = get(f"{shown}/api/dashboards")["runs"]
    assert f'/runs/{run["name"]}"' in page
    for server in SERVERS:
        assert f">{server}</bdi>" in page
    with urllib.request.urlopen(f"{shown}/lesson", timeout=30) as answer:
        lesson = answer.read().decode()
    assert "Request handling</th>" in lesson, "Prometheus told the three stages apart"
    stages = lesson.split("Request handling</th>")[1].split("</table>")[0]
    for server in SERVERS:
        assert stages.count(f"<bdi>{server}</bdi>") == 2, "at both rates"


def test_every_target_has_data_for_every_server(recorded: Lab, shown: str) -> None:
    since, until = span_of_the_run(shown)
    span = Span(math.floor(since / 1000), math.ceil(until / 1000), 1.0)
    found = []
    for target in targets(SERVERS, span):
        if target.is_due and not target.expression.startswith(NOT_FOR_PROCESSES):
            found += faults(prometheus_of(recorded), target, SERVERS, span)
    assert found == []


@pytest.mark.parametrize("size", ["1280,720", "1366,768"])
@pytest.mark.parametrize("uid", DASHBOARDS)
def test_every_panel_has_marks_on_it(shown: str, tmp_path: Path, uid: str, size: str) -> None:
    chromium = require_chromium()
    since, until = span_of_the_run(shown)
    pictures = os.environ.get("LAB_TEST_PICTURES")
    picture = Path(pictures) / f"{uid}-{size.replace(',', 'x')}.png" if pictures else None
    address = f"{shown}/d/{uid}?from={since}&to={until}&var-server=uwsgi"
    page = visit(chromium, address, tmp_path / "profile", size=size, picture=picture)
    assert f'data-ready="{uid}"' in page
    silent = {
        panel["id"]
        for panel in panels(DASHBOARDS[uid])
        if (first := panel.get("targets", [{}])[0].get("expr", "")).startswith(NOT_FOR_PROCESSES) or "browser:" in first
    }
    titles = {panel["id"]: panel["title"] for panel in panels(DASHBOARDS[uid])}
    drawn = marks(page)
    assert set(drawn) == set(titles)
    assert [titles[number] for number, count in drawn.items() if count == 0 and number not in silent] == []


def test_a_panel_of_an_unknown_type_is_named_in_its_place(recorded: Lab, shown: str, tmp_path: Path) -> None:
    chromium = require_chromium()
    shutil.copytree(ROOT / "grafana/dashboards", tmp_path / "grafana/dashboards")
    path = tmp_path / "grafana/dashboards/capacity.json"
    path.write_text(path.read_text().replace('"type": "bargauge"', '"type": "geomap"'))
    with Site(0, sources_of(tmp_path, prometheus_of(recorded), root=tmp_path)) as site:
        page = visit(chromium, f"{site.url}d/capacity", tmp_path / "profile")
    assert "A panel of type “geomap” cannot be drawn here" in page


def test_the_page_says_what_is_missing_and_recovers_by_itself(recorded: Lab, shown: str) -> None:
    data = f"{shown}/api/data/side-by-side"
    (server,) = [pid for pid in processes() if f":{recorded.environment['PROMETHEUS_PORT']}" in processes()[pid]]
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: "problem" in get(data), "the page to say that Prometheus is gone")
    assert http.public(prometheus_of(recorded)) in get(data)["problem"]["what"]
    wait_for(lambda: "problem" not in get(data), "a new Prometheus")
    since, until = span_of_the_run(shown)
    (p99,) = [panel for panel in get(f"{data}?from={since}&to={until}")["panels"].values() if "H" in panel]
    assert {row["labels"]["server"] for row in p99["C"]} == set(SERVERS), "what was recorded before is still there"


# ── whatever answers in Prometheus's place ──────────────────────────────────────────────────────────────────────────


def test_nonsense_is_named_in_the_place_of_its_panel(tmp_path: Path) -> None:
    chromium = require_chromium()
    said = json.dumps({"status": "error", "error": "<b>unknown</b> function"}).encode()
    with (
        hostile(always(ok(said, status=b"400 Bad Request"))) as server,
        Site(0, sources_of(tmp_path, server.url)) as site,
    ):
        page = visit(chromium, f"{site.url}d/capacity", tmp_path / "profile")
    drawings = [section.split('class="drawing"')[1] for section in page.split("<section ")[1:]]
    named = ["&lt;b&gt;unknown&lt;/b&gt; function" in drawing for drawing in drawings]
    asking = [panel for panel in panels(DASHBOARDS["capacity"]) if "targets" in panel]
    assert named.count(True) == len(asking)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ok(b"<html>", status=b"404 Not Found"), "answers (HTTP 404), and it is not lab view"),
        (ok(b"{}"), "answers (HTTP 200), and it is not lab view"),
        (b"", "lab view does not answer"),
        (
            ok(b'{"problem":{"what":"No <b>dashboard</b>.","next":"./lab <b>"}}'),
            "No &lt;b&gt;dashboard&lt;/b&gt;. Next: <code>./lab &lt;b&gt;</code>",
        ),
    ],
    ids=["no JSON", "other JSON", "reset", "a problem"],
)
def test_the_page_says_what_answers_in_the_place_of_lab_view(tmp_path: Path, answer: bytes, said: str) -> None:
    chromium = require_chromium()
    static = ROOT / "wsgilab/view/static"

    def another(exchange: Exchange) -> None:
        path = static / (exchange.target.removeprefix("/static/") if "/static/" in exchange.target else "page.html")
        if exchange.target.startswith("/api/"):
            exchange.send(answer)
            raise ConnectionResetError
        content = find_library().read_bytes() if path.name == "echarts.js" else path.read_bytes()
        kind = {".js": b"text/javascript", ".css": b"text/css"}.get(path.suffix, b"text/html")
        exchange.send(ok(content, b"Content-Type: " + kind))

    with hostile(another) as server:
        page = visit(chromium, f"{server.url}/d/capacity", tmp_path / "profile")
    (problem,) = re.findall(r'<p id="problem" role="alert">(.*?)</p>', page)
    assert said in problem


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_whatever_prometheus_does(lab: Lab, number: signal.Signals) -> None:
    """A byte now and then is no answer, and keeps every read alive."""
    (port,) = free_ports(1)
    with hostile(dripping(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        view = lab.start("view", "--port", port, PROMETHEUS_PORT=server.url.rpartition(":")[2])
        view.says("Ctrl-C ends this.")
        with socket.create_connection(("127.0.0.1", port)) as reader:
            reader.sendall(b"GET /api/data/side-by-side HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_for(lambda: any("/query" in target for target in server.asked), "a question to Prometheus")
            view.signal(number)
            assert reader.recv(100) == b""
        assert view.ends() == 0, view.output
    assert "Traceback" not in view.output


def processes() -> dict[int, str]:
    """The command lines of all Prometheus processes."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text(errors="replace").split("\0")
        except OSError:
            continue
        if words[0].endswith("prometheus"):
            found[int(path.parent.name)] = " ".join(words)
    return found


# ── a run goes on without it ────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_goes_on_without_a_prometheus_that_cannot_start(lab: Lab) -> None:
    quick = ("--servers", "dev", "--rate", "20", "--rounds", "1", "--duration", "1")
    done = lab("run", "--prometheus", *quick, LAB_PROMETHEUS="/bin/false")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The run goes on without it" in done.stderr
    (folder,) = [path for path in lab.results.iterdir() if (path / "verdict.json").exists()]
    assert windows_of(folder)[0]["load"]["ok"] == 20


def first_window_of(lab: Lab) -> bool:
    return any(path.stat().st_size > 0 for path in lab.results.glob("*/windows.jsonl"))


def test_a_run_goes_on_when_prometheus_is_killed(recorded: Lab, lab: Lab) -> None:
    (port,) = free_ports(1)
    own = {"PROMETHEUS_PORT": str(port), "LAB_PROMETHEUS": recorded.environment["LAB_PROMETHEUS"]}
    rates = ("--rate", "20", "--rounds", "1", "--duration", "2")
    run = lab.start("run", "--prometheus", "--servers", "dev,gunicorn", *rates, **own)
    wait_for(lambda: first_window_of(lab) or run.ended, "the first window")
    (server,) = [pid for pid, words in processes().items() if f":{port}" in words]
    os.kill(server, signal.SIGKILL)
    assert run.ends() == 0, run.output
    assert "Prometheus did not record all of the run" in run.output
    (folder,) = [path for path in lab.results.iterdir() if (path / "verdict.json").exists()]
    assert [window["void"] for window in windows_of(folder)] == [None, None]


def fill(folder: Path) -> Path:
    """Write until the file system is full to the last page; gives the file."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_run_goes_on_when_the_disk_of_prometheus_is_full(recorded: Lab, lab: Lab) -> None:
    ports = dict(zip(("PROMETHEUS_PORT", "VIEW"), map(str, free_ports(2)), strict=True))
    own = {"PROMETHEUS_PORT": ports["PROMETHEUS_PORT"], "LAB_PROMETHEUS": recorded.environment["LAB_PROMETHEUS"]}
    with small_file_system(lab.results / ".prometheus", "64m") as disk:
        what = ("--servers", "dev,gunicorn", "--rate", "20", "--rounds", "2", "--duration", "2", "--seed", "1")
        run = lab.start("run", "--prometheus", *what, **own)
        wait_for(lambda: first_window_of(lab) or run.ended, "the first window")
        filler = fill(disk)
        assert run.ends() == 0, run.output
        assert "Prometheus did not record all of the run" in run.output
        folder = next(lab.results.glob("*/verdict.json")).parent
        assert [window["void"] for window in windows_of(folder)] == [None] * 4
        filler.unlink()
        first = windows_of(folder)[0]["plan"]["server"]
        view = lab.start("view", "--port", ports["VIEW"], **own)
        try:
            view.says("Ctrl-C ends this.")
            shown = f"http://127.0.0.1:{ports['VIEW']}"
            since, until = span_of_the_run(shown)
            wait_for(lambda: "problem" not in get(f"{shown}/api/data/side-by-side"), "Prometheus, with room again")
            data = get(f"{shown}/api/data/side-by-side?from={since}&to={until}")
            (table,) = [panel for panel in data["panels"].values() if "H" in panel]
            assert first in {row["labels"]["server"] for row in table["C"]}, "what was recorded before it was full"
        finally:
            view.signal(signal.SIGINT)
            assert view.ends() == 0, view.output


# ── who may ask ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_in_a_browser_can_neither_read_nor_write(recorded: Lab, shown: str, tmp_path: Path) -> None:
    """The page of another origin does what needs nobody's leave: a POST without a content type, and a GET."""
    chromium = require_chromium()
    url = http.public(prometheus_of(recorded))
    wait_for(lambda: "problem" not in get(f"{shown}/api/data/side-by-side"), "Prometheus")
    sample = list(snappy(encode([Series("forged", 1.0)], round(time.time() * 1000))))
    page = f"""<title>evil</title><p>waiting<script>
        const forged = new Blob([new Uint8Array({sample})]);
        const send = fetch('{url}/api/v1/write', {{method: 'POST', mode: 'no-cors', body: forged}});
        const read = fetch('{url}/api/v1/status/flags').then(answer => answer.text(), () => 'refused');
        Promise.all([send.catch(() => null), read]).then(([, text]) => document.querySelector('p').textContent = text);
        </script>"""
    (tmp_path / "evil.html").write_text(page)
    assert "<p>refused" in visit(chromium, (tmp_path / "evil.html").as_uri(), tmp_path / "profile")
    assert query(prometheus_of(recorded), "forged", time.time()) == []
    assert http.ask(f"{url}/api/v1/write", data=bytes(sample)).status == 401


# ── what the runner pushes, and a clock that jumps ──────────────────────────────────────────────────────────────────


def test_prometheus_takes_what_the_runner_pushes(recorded: Lab, shown: str) -> None:
    url = prometheus_of(recorded)
    wait_for(lambda: "problem" not in get(f"{shown}/api/data/side-by-side"), "Prometheus")
    now = time.time()
    write(url, [Series("pushed", 1.5, {"server": "dev"}), Series("pushed", -2.0, {"server": "gunicorn"})], now)
    found = {one["metric"]["server"]: float(one["value"][1]) for one in query(url, "pushed", now)}
    assert found == {"dev": 1.5, "gunicorn": -2.0}
    write(url, [Series("pushed", STALE, {"server": "dev"})], now + 1)
    assert [one["metric"]["server"] for one in query(url, "pushed", now + 1)] == ["gunicorn"]


def test_prometheus_refuses_what_is_older_than_what_it_has_and_says_so(recorded: Lab, shown: str) -> None:
    """What happens to a run when the clock jumps backwards."""
    url = prometheus_of(recorded)
    wait_for(lambda: "problem" not in get(f"{shown}/api/data/side-by-side"), "Prometheus")
    now = time.time()
    write(url, [Series("jumped", 1.0)], now)
    with pytest.raises(http.NoAnswer, match=r"HTTP 400.*out of order"):
        write(url, [Series("jumped", 2.0)], now - 60)
    write(url, [Series("jumped", 3.0)], now + 60)
    assert [one["value"][1] for one in query(url, "jumped", now + 60)] == ["3"], "forward is a gap, no more"
