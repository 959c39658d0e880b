"""Why containers did not come up: what is said to a user, from what Docker Compose says."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from support import ROOT

from wsgilab.engines.diagnosis import container_states, why_not_up
from wsgilab.errors import LabError
from wsgilab.lab.servers import load_lab

HEALTHY = {"State": "running", "Health": "healthy", "ExitCode": 0}
STARTING = {"State": "running", "Health": "starting", "ExitCode": 0}
ENDED = {"State": "restarting", "Health": "", "ExitCode": 3}
CREATED = {"State": "created", "Health": "", "ExitCode": 0}


def diagnose(logs: str = "", variables: dict[str, str] | None = None, /, **states: dict[str, Any]) -> LabError:
    """The error for gunicorn and dev, as `docker compose ps` shows their containers."""
    lab = load_lab(ROOT, variables or {})

    def compose(command: str, *_: str) -> str:
        rows = [json.dumps({"Service": name, **state}) for name, state in states.items()]
        return "\n".join(rows) if command == "ps" else logs

    return why_not_up(lab, ["prometheus", "gunicorn", "dev"], lab.select(["gunicorn", "dev"]), compose)


def test_both_forms_of_composes_listing_are_read() -> None:
    rows = [{"Service": "dev", **HEALTHY}, {"Service": "gunicorn", **ENDED}]
    expected = {row["Service"]: row for row in rows}
    assert container_states("\n".join(map(json.dumps, rows)) + "\n") == expected
    assert container_states(json.dumps(rows)) == expected  # before Compose 2.21
    assert container_states("") == {}


def test_a_server_that_ended_is_named_with_the_last_lines_of_its_log() -> None:
    error = diagnose("booting\nLAB_APP=app:x cannot be served: no attribute x\nbye", gunicorn=HEALTHY, dev=ENDED)
    assert error.exit_code == 4
    assert error.what.splitlines() == [
        "dev did not start: its container ended with exit code 3",
        "  | LAB_APP=app:x cannot be served: no attribute x",
    ]


def test_one_that_ended_comes_before_one_that_is_still_starting() -> None:
    assert "dev did not start" in diagnose(gunicorn=STARTING, dev=ENDED).what


def test_one_that_never_got_healthy_is_named_when_none_ended() -> None:
    error = diagnose(gunicorn=STARTING, dev=HEALTHY)
    assert error.exit_code == 4
    assert error.what == "gunicorn did not start: its container runs and does not get healthy"


@pytest.mark.parametrize("service", ["gunicorn", "prometheus"])
def test_a_port_in_use_is_named_with_its_variable(service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, variable = taken.getsockname()[1], f"{service.upper()}_PORT"
        states = {"prometheus": HEALTHY, "gunicorn": HEALTHY, "dev": HEALTHY, service: CREATED}
        error = diagnose("", {variable: str(port)}, **states)
    assert error.exit_code == 3
    assert str(port) in error.what
    assert service in error.what
    assert f"{variable}=" in error.next_command


def test_what_cannot_be_told_says_where_to_look() -> None:
    error = diagnose(prometheus=HEALTHY, gunicorn=HEALTHY, dev=HEALTHY)
    assert error.exit_code == 3
    assert "docker compose logs" in error.next_command
