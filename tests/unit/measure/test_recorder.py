"""What answers on the port of Prometheus need not be one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile import Answer, always, dripping, endless, hostile, ok
from support import ROOT

from wsgilab.lab.servers import load_lab
from wsgilab.measure import recorder
from wsgilab.measure.recorder import Recorder


def recorder_on(url: str, folder: Path) -> Recorder:
    return Recorder(load_lab(ROOT, {"PROMETHEUS_PORT": url.rpartition(":")[2]}), folder)


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
NONSENSE = [b"", b"{", b"[]", b"null", b'{"data":5}', b'{"data":null}', b'{"data":{"a":1}}', b"[" * 100_000]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: body[:20].decode() or "nothing")
def test_nonsense_is_no_prometheus_of_ours(tmp_path: Path, body: bytes) -> None:
    with hostile(always(ok(body))) as server:
        found = recorder_on(server.url, tmp_path)
        assert found.answers()
        assert not found.is_ours()


@pytest.mark.parametrize(
    "answer",
    [
        always(ok(b"", status=b"503 Starting")),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
        endless(b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["not ready", "a byte at a time", "without end"],
)
def test_what_is_not_ready_or_does_not_end_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(recorder, "ASK_TIMEOUT_S", 0.3)
    with hostile(answer) as server:
        assert not recorder_on(server.url, tmp_path).answers()


def test_one_with_the_configuration_of_this_folder_is_ours(tmp_path: Path) -> None:
    flags = b'{"status":"success","data":{"config.file":"%s"}}' % str(tmp_path / ".prometheus/prometheus.yaml").encode()
    with hostile(always(ok(flags))) as server:
        assert recorder_on(server.url, tmp_path).is_ours()
        assert not recorder_on(server.url, tmp_path / "other").is_ours()
