"""Ports that a server can listen on when its turn comes, whatever connections are made meanwhile."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from wsgilab.machine import ports


def test_no_outgoing_connection_is_given_a_port_that_was_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = tmp_path / "ip_local_port_range"
    said.write_text("20000\t60000\n")
    monkeypatch.setattr(ports, "OUTGOING", said)
    found = ports.free_ports(200)
    assert len(set(found)) == 200
    assert all(ports.LOWEST <= port < 20000 or 60000 < port < 65536 for port in found)


@pytest.mark.parametrize("said", ["1024 65535", "10000 65535"])
def test_where_there_are_no_others_those_have_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str) -> None:
    monkeypatch.setattr(ports, "OUTGOING", tmp_path / "range")
    (tmp_path / "range").write_text(said)
    found = ports.free_ports(20, besides=ports.free_ports(20))
    assert len(set(found)) == 20


@pytest.mark.parametrize("said", [None, "", "many"])
def test_a_system_that_does_not_say_uses_the_dynamic_ports(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str | None
) -> None:
    monkeypatch.setattr(ports, "OUTGOING", tmp_path / "range")
    if said is not None:
        (tmp_path / "range").write_text(said)
    assert all(port < 49_152 for port in ports.free_ports(50))


def test_why_the_port_of_a_connection_that_is_over_cannot_be_listened_on() -> None:
    """Linux keeps it for a minute, for the side that closed first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        port = client.getsockname()[1]
        server, _ = listener.accept()
        with server:
            assert not ports.is_free(port)
            client.close()
            assert server.recv(1) == b""
        assert not ports.is_free(port)
        assert ports.why_taken(port).startswith("a connection of some program has that port")
        assert ports.why_taken(listener.getsockname()[1]).endswith(" listens on it")
