"""Sources that answer, and not as they should: the exporter does without them, and no longer than a moment."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import nginx_status
import pytest
import receive
import uwsgi_stats
from exporter import is_own_name
from nginx_status import NginxStatus

WORKER = {"id": 1, "pid": 7, "status": "idle", "exceptions": 1, "harakiri_count": 2}
STATS = {"workers": [WORKER], "listen_queue": 3, "listen_queue_errors": 4}


@contextlib.contextmanager
def answering(listener: socket.socket, pieces: list[bytes], pause_s: float = 0.0) -> Iterator[None]:
    """Answers one connection in pieces, then ends it."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with listener:
        yield
        thread.join(timeout=10)


def stats_of(tmp_path: Path, *pieces: bytes, pause_s: float = 0.0) -> uwsgi_stats.UwsgiStats:
    path = tmp_path / "stats.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with answering(listener, list(pieces), pause_s):
        return uwsgi_stats.read(path)


def test_a_document_as_uwsgi_sends_it(tmp_path: Path) -> None:
    read = stats_of(tmp_path, json.dumps(STATS).encode())
    assert read == uwsgi_stats.UwsgiStats({1: 7}, frozenset(), 0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    "document",
    [
        *(b"[]", b"null", b"5", b"", b"{", b'"text"', b"[" * 100_000, b"\xff"),
        *(
            json.dumps(odd).encode()
            for odd in (
                STATS | {"workers": None},
                STATS | {"workers": [None]},
                STATS | {"workers": [WORKER | {"pid": "x"}]},
                STATS | {"workers": [WORKER | {"exceptions": None}]},
                STATS | {"workers": {"1": WORKER}},
                STATS | {"listen_queue": "x"},
                {"workers": []},
            )
        ),
    ],
    ids=lambda document: document[:30].decode(errors="replace"),
)
def test_a_document_that_is_none_of_uwsgis_is_a_value_error(tmp_path: Path, document: bytes) -> None:
    with pytest.raises(ValueError, match="not uWSGI's stats"):
        stats_of(tmp_path, document)


def test_a_stats_socket_that_drips_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        stats_of(tmp_path, *[b" "] * 50, pause_s=0.05)


def test_a_stats_socket_that_never_stops_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        stats_of(tmp_path, b" " * 2000)


def test_a_status_page_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx_status, "_TIMEOUT_S", 0.2)
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/nginx_status"
    with answering(listener, [b"HTTP/1.0 200 OK\r\n", *[b"x"] * 50], 0.05), pytest.raises(TimeoutError):
        NginxStatus(url).read()


@pytest.mark.parametrize(
    "host", [None, "localhost:9100", "127.0.0.1", "127.0.0.1:9100", "[::1]:9100", "gunicorn:9100", "nginx-exporter"]
)
def test_addresses_and_names_of_a_local_network_are_answered(host: str | None) -> None:
    assert is_own_name(host)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9100", "127.0.0.1.evil.example", "localhost.evil:1"])
def test_names_that_anybody_may_point_here_are_not(host: str) -> None:
    assert not is_own_name(host)


def test_the_machines_own_name_is_answered_though_it_has_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "lab.example.org")
    assert is_own_name("lab.example.org:9100")
