"""The real Compose stack, once for all tests: built, brought up as the README says, taken down with its volumes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from compose_stack import CLIENT_CONFIG, DEAD_PROXY, Stack, require_engine
from support import wait_for

PROJECT = os.environ.get("LAB_TEST_PROJECT", "wsgilab-test")
RUNNER_USER = 1000
NOT_RUN = ("grafana",)
"""Its image has no stand-in: no package holds it."""


@pytest.fixture(scope="session")
def stack(own_ports: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The project with its images built; nothing runs yet."""
    require_engine()
    results = tmp_path_factory.mktemp("stack") / "results"
    results.mkdir()
    for folder in (results, results.parent, results.parent.parent):
        folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(results, RUNNER_USER, RUNNER_USER)
    user = str(os.geteuid() or RUNNER_USER)
    files = ["compose.yaml", "tests/stack/compose.short.yaml"]
    if os.environ.get("LAB_TEST_STANDINS"):
        files.append("tests/stack/compose.standins.yaml")
    environment = {
        **os.environ,
        **own_ports,
        "COMPOSE_PROJECT_NAME": PROJECT,
        "COMPOSE_FILE": ":".join(files),
        "COMPOSE_PROGRESS": "plain",
        # bake asks a person before it lets a build use the network of the host
        "COMPOSE_BAKE": "false",
        "LAB_RESULTS_DIR": str(results),
        "LAB_UID": user,
        "LAB_GID": user,
    }
    builder = Stack(environment, results)
    builder.compose("--profile", "more", "down", "--volumes", "--remove-orphans")
    builder.build("--profile", "more", "build", "--quiet")
    # As in a company on its worst day: every container is given a proxy, and nobody answers there.
    proxied = _client_config(tmp_path_factory.mktemp("docker"), DEAD_PROXY)
    it = Stack({**environment, "DOCKER_CONFIG": str(proxied)}, results)
    yield it
    it.compose("--profile", "more", "down", "--volumes", "--remove-orphans", "--timeout", "5")


def _client_config(folder: Path, proxy: str) -> Path:
    """The Docker client's own configuration, with a proxy for containers."""
    if CLIENT_CONFIG.is_dir():
        shutil.copytree(CLIENT_CONFIG, folder, symlinks=True, dirs_exist_ok=True)
    file = folder / "config.json"
    said = json.loads(file.read_text()) if file.exists() else {}
    proxies = {"default": {"httpProxy": proxy, "httpsProxy": proxy}}
    file.write_text(json.dumps({**said, "proxies": proxies}))
    return folder


@pytest.fixture(scope="session")
def main_job(stack: Stack) -> Iterator[str]:
    """`docker compose up` without Grafana, until the runner has ended; what it printed. The stack stays up."""
    services = stack.compose("config", "--services").stdout.split()
    up = stack.start("up", "--no-color", *(name for name in services if name not in NOT_RUN))
    try:
        wait_for(lambda: "runner-1 exited with code" in up.output or up.ended, "the runner's end", patience_s=600)
        assert "runner-1 exited with code 0" in up.output, up.output[-6000:]
        # `up` in the foreground would take the stack along when it is stopped: what a user leaves open in a terminal.
        yield up.output
    finally:
        up.kill()
