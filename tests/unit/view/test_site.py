"""Who may look at `./lab view`, and what a request of any kind gets."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hostile import Exchange, Hostile, dripping
from shown import sources_of
from support import ROOT, wait_for

from wsgilab.view.answers import Answers
from wsgilab.view.server import Site


def port_of(site: Site) -> int:
    return urlsplit(site.url).port or 0


def get(site: Site, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """The answer; its body is in `text`."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port_of(site), timeout=30)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode(errors="replace")  # type: ignore[attr-defined]
        return answer


def problem(answer: http.client.HTTPResponse) -> str:
    """What the page shows for this answer."""
    return str(json.loads(answer.text)["problem"]["what"])  # type: ignore[attr-defined]


def raw(site: Site, request: bytes, *, leaves: bool = True) -> bytes:
    """All that comes back for these bytes, until the connection is closed. `leaves`: who asked says no more."""
    with (
        socket.create_connection(("127.0.0.1", port_of(site)), timeout=30) as connection,
        connection.makefile("rb") as answers,
        contextlib.suppress(OSError),  # it may be closed at the first word
    ):
        connection.sendall(request)
        if leaves:
            connection.shutdown(socket.SHUT_WR)
        return answers.read()
    return b""


def test_pages_scripts_and_data_are_served(site: Site) -> None:
    for path in (
        "/",
        "/lesson",
        "/docs",
        "/docs/tutorial",
        "/docs/readme",
        "/docs/images/capacity.png",
        "/live/now",
        "/health",
    ):
        assert get(site, path).status == 200, path
    for path in ("/d/capacity", "/static/page.js", "/static/echarts.js", "/api/dashboards", "/api/data/capacity"):
        assert get(site, path).status == 200, path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/data/nothing", 404),
        ("/api/data/capacity?from=then", 400),
        ("/api/data/capacity?from=now-" + "9" * 400 + "d", 400),
        ("/api/data/capacity?from=" + "9" * 400, 400),
        ("/api/data/capacity?from=NaN&to=nan", 400),
        ("/api/data/capacity?from=now-999999999d&to=now-999999998d", 400),
        ("/api/data/capacity?from=%00%ff&to=%ud800", 400),
        ("/static/../server.py", 404),
        ("/static/%2e%2e/server.py", 404),
        ("/static/page.js%00", 404),
        ("/d/%C3%A9", 404),
        ("/api/v1/query?query=up", 404),
        ("//evil.example/", 404),
        ("/docs/nothing", 404),
        ("/docs/..", 404),
        ("/docs/images/..%2f..%2flab", 404),
        ("/runs/nothing", 404),
        ("/runs/..", 404),
        ("/runs/%2e%2e", 404),
        ("/runs/.prometheus", 404),
        ("*", 404),
    ],
)
def test_what_is_not_there_is_refused(site: Site, path: str, status: int) -> None:
    assert get(site, path).status == status


def test_nothing_can_be_written(site: Site) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = get(site, "/api/dashboards", method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD"), method


def test_a_head_is_a_get_without_its_body(site: Site) -> None:
    answer = get(site, "/static/page.css", "HEAD")
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) == (ROOT / "wsgilab/view/static/page.css").stat().st_size


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "[::1", "[::1]:3001", "", "127.0.0.1:abc", "localhost@evil.example"],
)
def test_another_name_for_this_machine_is_refused(site: Site, host: str) -> None:
    assert get(site, "/api/dashboards", Host=host).status == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8080", "LOCALHOST", "192.168.1.7:8080"])
def test_its_own_names_are_not(site: Site, host: str) -> None:
    assert get(site, "/api/dashboards", Host=host).status == 200


def test_a_foreign_page_can_neither_read_it_nor_frame_it(site: Site) -> None:
    answer = get(site, "/d/capacity", Origin="http://evil.example")
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET http://[x/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    ],
    ids=["URL", "version", "no HTTP", "TLS", "length", "large body", "chunk", "long line", "many headers"],
)
def test_a_request_that_is_none_ends_no_more_than_its_own_connection(
    site: Site, request_: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = raw(site, request_)
    assert answer == b"" or answer.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4")), answer[:80]
    assert get(site, "/d/capacity").status == 200
    assert capfd.readouterr() == ("", "")


def test_the_body_of_a_get_is_not_the_next_request(site: Site) -> None:
    body = b"GET /api/dashboards HTTP/1.1\r\nHost: localhost\r\n\r\n"
    first = b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    second = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answers = raw(site, first + body + second, leaves=False)
    assert [line.split()[1] for line in answers.splitlines() if line.startswith(b"HTTP/1.1")] == [b"200", b"404"]


def test_a_burst_is_answered_and_nobody_waits_for_a_second_try(site: Site) -> None:
    """A connection beyond the backlog is dropped by the kernel, and its client tries again after a second."""
    connections = [socket.create_connection(("127.0.0.1", port_of(site)), timeout=0.9) for _ in range(100)]
    for connection in connections:
        connection.sendall(b"GET /d/capacity HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    for connection in connections:
        connection.settimeout(30)
        with connection, connection.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"


def test_readers_who_leave_in_the_middle_leave_nothing_behind(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port_of(site))) as connection:
            connection.sendall(b"GET /static/echarts.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert get(site, "/static/echarts.js").status == 200
    assert capfd.readouterr() == ("", "")


def test_pages_are_served_while_others_wait_for_prometheus(site: Site, prometheus: Hostile) -> None:
    prometheus.answer = dripping(b"HTTP/1.1 200 OK\r\n")
    with ThreadPoolExecutor(4) as readers:
        waiting = [readers.submit(get, site, "/api/data/side-by-side") for _ in range(4)]
        wait_for(lambda: len(prometheus.asked) >= 4, "four readers to wait")
        assert get(site, "/d/capacity").status == 200
        assert not any(one.done() for one in waiting)
        prometheus.over.set()


def test_it_ends_at_once_while_prometheus_keeps_a_page_waiting(prometheus: Hostile, tmp_path: Path) -> None:
    asked, leave, ended = threading.Event(), threading.Event(), threading.Event()
    sites: list[Site] = []

    def silent(exchange: Exchange) -> None:
        asked.set()
        exchange.over.wait()

    def serve() -> None:
        with Site(0, sources_of(tmp_path, prometheus.url)) as it:
            sites.append(it)
            leave.wait()
        ended.set()

    prometheus.answer = silent
    threading.Thread(target=serve, daemon=True).start()
    wait_for(lambda: sites, "the site")
    with socket.create_connection(("127.0.0.1", port_of(sites[0])), timeout=30) as reader:
        reader.sendall(b"GET /api/data/side-by-side HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert asked.wait(30)
        leave.set()
        assert reader.recv(100) == b"", "its reader is told"
        assert ended.wait(5), "Prometheus has ten seconds to answer, and has not"


# ── damaged files ───────────────────────────────────────────────────────────────────────────────────────────────────

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        DEEP,
        f'{{"started_at": {DEEP}',
        f'{{"notes": {DEEP}',
        "[]",
        '{"started_at": 5}',
        '{"started_at": "2026-01-01T00:00:00"}',
        '{"started_at": "0001-01-01T00:00:00+23:59", "finished_at": "x"}',
        '{"started_at": "9999-99-99T00:00:00+00:00"}',
        '\udcff{"started_at"',
    ],
)
def test_a_damaged_manifest_hides_no_other_run(site: Site, tmp_path: Path, text: str) -> None:
    for name, content in (("1-run", '{"started_at": "2026-01-01T00:00:00+00:00"}'), ("2-run", text)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(content, errors="surrogateescape")
    (tmp_path / "3-run/manifest.json").mkdir(parents=True)
    answer = get(site, "/api/dashboards")
    assert [run["name"] for run in json.loads(answer.text)["runs"]] == ["1-run"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["{", DEEP, "[]", "5", '{"uid": "x"}'])
def test_a_damaged_dashboard_is_named(prometheus: Hostile, tmp_path: Path, text: str) -> None:
    folder = shutil.copytree(ROOT / "grafana/dashboards", tmp_path / "grafana/dashboards")
    (folder / "capacity.json").write_text(text)
    with Site(0, sources_of(tmp_path, prometheus.url, root=tmp_path)) as site:
        for path in ("/api/dashboards", "/api/data/capacity"):
            answer = get(site, path)
            assert answer.status == 500
            assert problem(answer).startswith("capacity.json ")


def test_a_page_that_cannot_be_read_says_how_it_comes_back(prometheus: Hostile, tmp_path: Path) -> None:
    with Site(0, sources_of(tmp_path, prometheus.url, root=tmp_path)) as site:
        lost, readme = get(site, "/lesson"), get(site, "/docs/readme")
        (tmp_path / "1-run").mkdir()
        (tmp_path / "1-run/manifest.json").write_text("{}")
        reported, unknown = get(site, "/runs/1-run"), get(site, "/runs/2-run")
    for answer, command in (
        (lost, "git checkout docs/lesson.md"),
        (readme, "git checkout README.md"),
        (reported, "./lab report results/1-run"),
        (unknown, "ls results"),
    ):
        assert answer.status == 404
        assert f"<p>Next: <code><bdi>{command}</bdi></code></p>" in answer.text  # type: ignore[attr-defined]


def test_a_fault_of_the_lab_is_named_in_the_page(
    site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Answers, "runs", lambda _self: 1 / 0)
    answer = get(site, "/api/dashboards")
    assert (answer.status, problem(answer)) == (
        500,
        "Something in ./lab view itself went wrong, please report it: ZeroDivisionError: division by zero.",
    )
    assert capfd.readouterr() == ("", "")
