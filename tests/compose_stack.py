"""Helpers of the stack tests: `docker compose` for a project of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from support import ROOT, Running, to_its_end

from wsgilab.engines.stack import LOST_LAYER
from wsgilab.measure import access

CLIENT_CONFIG = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
"""Of the Docker client, as it is on this machine: the one to build with. Containers of a Stack are given DEAD_PROXY."""
DEAD_PROXY = "http://127.0.0.1:9"


class Stack:
    """`docker compose` for a project, ports and results of its own."""

    def __init__(self, environment: dict[str, str], results: Path) -> None:
        self.environment = environment
        self.results = results

    def compose(self, *arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a Compose command to its end."""
        done = to_its_end(["docker", "compose", *arguments], {**self.environment, **variables}, 900, cwd=ROOT)
        assert not check or done.returncode == 0, f"{arguments}:\n{done.stdout}{done.stderr}"
        return done

    def build(self, *arguments: str) -> None:
        """Build images: once more where the engine lost a layer, as it does now and then (see LOST_LAYER)."""
        done = self.compose(*arguments, check=False)
        if done.returncode != 0:
            assert LOST_LAYER in done.stderr, f"{arguments}:\n{done.stdout}{done.stderr}"
            self.compose(*arguments)

    def inside(self, service: str, *command: str) -> str:
        """What a command in a container prints."""
        return self.compose("exec", "-T", service, *command).stdout

    def start(self, *arguments: str) -> Running:
        """Start a Compose command, and watch what it says."""
        return Running(["docker", "compose", *arguments], self.environment, cwd=ROOT)

    def lab(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `./lab` on the host to its end, with this stack as its engine."""
        own = {"PYTHONPATH": str(ROOT), "LAB_ENGINE": "compose", "LAB_RESULTS": str(self.results)}
        command = [sys.executable, "-m", "wsgilab", *arguments]
        return to_its_end(command, {**self.environment, **own, **variables}, 300, cwd=ROOT)

    def containers(self) -> dict[str, dict[str, Any]]:
        """What the engine says about every container of the project, by service."""
        ids = self.compose("--profile", "more", "ps", "--all", "--quiet").stdout.split()
        if not ids:
            return {}
        said = subprocess.run(
            ["docker", "inspect", *ids], env=self.environment, capture_output=True, text=True, check=True
        ).stdout
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in json.loads(said)}

    def newest_run(self) -> Path:
        """The folder of the newest run."""
        return max(path for path in self.results.iterdir() if path.is_dir())

    def variable(self, name: str) -> str:
        """What Compose takes for a variable: the environment's, or that of .env."""
        found: str | None = self.environment.get(name) or dotenv_values(ROOT / ".env").get(name)
        assert found, name
        return found

    @property
    def prometheus(self) -> str:
        """The address of its Prometheus on this machine, with the password."""
        password = self.inside("prometheus", "cat", "/etc/wsgilab/password")
        return access.with_password(f"http://127.0.0.1:{self.port('PROMETHEUS_PORT')}", password)

    def port(self, variable: str) -> int:
        return int(self.environment[variable])


def require_engine() -> None:
    """Skip, with the reason, where no Docker engine with Compose answers."""
    for command in (["docker", "version", "--format", "{{.Server.Version}}"], ["docker", "compose", "version"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        except FileNotFoundError:
            pytest.skip("no docker command: the Compose stack was not run")
        if done.returncode != 0:
            pytest.skip(
                f"{' '.join(command[:2])}: {done.stderr.strip().splitlines()[-1]}: the Compose stack was not run"
            )
