"""Servers on another machine: measured from here, with load from a container of this machine's engine.

The other one has a Docker engine and a network of its own, and does not see this clone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from compose_stack import Stack
from support import ROOT, Running, wait_for, windows_of

from wsgilab import api

SCRIPT = ROOT / "tests/images/hosts.sh"
ADDRESS = "10.77.0.11"
STORY = {"gunicorn": ["good", "bad"], "twin": ["good", "good"]}
"""At 100 and 250 rps: four slots of 22 ms are too few for the latter."""


def machines_script(*words: str) -> str:
    done = subprocess.run([str(SCRIPT), *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Machines:
    """The other one and this one, as `./lab` is told of them."""

    app: str
    load: str

    @property
    def options(self) -> list[str]:
        return [
            *("--host", f"app={self.app},role=servers,address={ADDRESS}"),
            *("--host", f"load={self.load},role=load,cpus=1"),
        ]

    @property
    def left(self) -> str:
        """All that a run has made on either of them and that is still there."""
        label, load = ("--quiet", "--filter", "label=wsgilab.host"), ("--filter", "name=wsgilab-load-")
        names = ("ps", "--all", "--format", "{{.Names}}")
        made = [docker(self.app, *names), docker(self.load, *names, *load)]
        return "".join([*made, docker(self.app, "volume", "ls", *label), docker(self.app, "network", "ls", *label)])


def docker(engine: str, *words: str) -> str:
    command = ["docker", "--host", engine, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.fixture(scope="module")
def machines(stack: Stack) -> Iterator[Machines]:
    ours = stack.environment.get("DOCKER_HOST", "")
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("another machine is a network namespace, which only root can make: --hosts was not run with one")
    if not ours.endswith("/engine/state/docker.sock"):
        pytest.skip(
            "this machine has an engine of its own, and none was unpacked to start another: --hosts was not run"
        )
    try:
        machines_script("start", "app")
        yield Machines(f"unix://{machines_script('socket', 'app')}", ours)
    finally:
        machines_script("stop")


def lab(stack: Stack, *arguments: str) -> Running:
    environment = {**stack.environment, "PYTHONPATH": str(ROOT), "LAB_RESULTS": str(stack.results)}
    return Running([sys.executable, "-m", "wsgilab", *arguments], environment, cwd=ROOT)


@dataclass(frozen=True)
class Windows:
    """Those of the run that began last."""

    results: Path
    before: set[str]

    @property
    def folder(self) -> Path:
        return next((path for path in self.results.glob("*-run") if path.name not in self.before), self.results)

    @property
    def saved(self) -> list[dict[str, Any]]:
        return windows_of(self.folder) if (self.folder / "windows.jsonl").exists() else []


def test_the_lesson_s_story_is_told_from_another_machine_and_nothing_is_left_there(
    machines: Machines, stack: Stack
) -> None:
    """In the last window of the first round the link is cut, then the runner is killed: only its guard can clear up."""
    before = {path.name for path in stack.results.iterdir()}
    run = lab(
        stack,
        *("run", *machines.options, "--servers", "gunicorn", "--variant", "twin=uwsgi,UWSGI_PROCESSES=4"),
        *("--rate", "100,250", "--rounds", "2", "--duration", "1"),
    )
    windows = Windows(stack.results, before)
    wait_for(lambda: "[4/8]" in run.output or run.ended, "the last window of a round", patience_s=120)
    assert "Sending wsgilab-server:local" in run.output, f"its images come from here:\n{run.output}"
    assert not run.ended, run.output
    docker(machines.app, "kill", "wsgilab-relay")
    wait_for(lambda: len(windows.saved) >= 4 or run.ended, "a window that was disturbed")
    run.signal(signal.SIGKILL)
    assert run.ends() == -signal.SIGKILL, run.output
    wait_for(lambda: not machines.left, "the end of all that it had there")
    assert "the link to app was cut" in windows.saved[3]["void"]
    assert all(window["usage"] for window in windows.saved[:3]), "exporters were read through the engine"
    verdict = api.report(windows.folder).verdict.to_json()
    manifest = json.loads((windows.folder / "manifest.json").read_text())
    for row in verdict["servers"]:
        for load, wanted in zip(row["loads"], STORY[row["server"]], strict=True):
            assert load["verdict"] in (wanted, "inconclusive"), verdict  # one was disturbed; a busy machine voids more
    assert manifest["engine"] == "compose"
    assert all(image.startswith("sha256:") for image in manifest["images"].values())
    assert manifest["floor"], "nginx was reached from the load's machine"
    assert set(manifest["paths_ms"]) == {"load"}
