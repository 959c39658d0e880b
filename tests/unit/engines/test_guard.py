"""What a run has made on another machine is cleared away when it ends, by a shell that waits for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.engines import guard
from wsgilab.engines.guard import Guard

DOCKER = """#!/bin/sh
echo "$*" >>"$LOG"
case "$1" in
    compose) rm -f "$LEFT" ;;
    ps) test -z "$GONE" || exit 1; cat "$LEFT" 2>/dev/null; true ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With a docker command that writes down how it was called, and an engine that still has a container."""
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    (tmp_path / "left").write_text("a-container\n")
    return {"PATH": f"{tmp_path}:/usr/bin:/bin", "LOG": str(tmp_path / "log"), "LEFT": str(tmp_path / "left")}


def test_the_end_of_a_run_takes_its_project_down_and_looks_whether_that_is_so(environment: dict[str, str]) -> None:
    left: list[str] = []
    with Guard("wsgilab-1", environment, lambda: left.append("something")):
        assert not Path(environment["LOG"]).exists(), "as long as the run lasts, nothing is touched"
    calls = Path(environment["LOG"]).read_text().splitlines()
    assert calls[0].startswith("compose --project-name wsgilab-1 down --volumes")
    assert [call.split()[0] for call in calls[1:4]] == ["ps", "network", "volume"]
    assert all("label=com.docker.compose.project=wsgilab-1" in call for call in calls[1:])
    assert not left


def test_what_could_not_be_cleared_away_is_told(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE_S", 0.3)
    left: list[str] = []
    with Guard("wsgilab-1", {**environment, "GONE": "1"}, lambda: left.append("something")) as watching:
        pass
    assert left == ["something"]
    watching._dialogue.end(3)
