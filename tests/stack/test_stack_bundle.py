"""Images out of a bundle, into an engine that has none."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from compose_stack import Stack
from support import ROOT, wait_for

from wsgilab.engines import images
from wsgilab.machine import bundles
from wsgilab.model.bundle import Contents

RUNNER, SERVER = "wsgilab-runner:local", "wsgilab-server:local"


@pytest.fixture
def empty_engine() -> Iterator[str]:
    """A second dockerd, without an image, with the older kind of store; the address of it."""
    engine = Path(os.environ.get("DOCKER_HOST", "").removeprefix("unix://")).parent.parent
    if not (engine / "daemon/dockerd").exists():
        pytest.skip("this machine has an engine of its own: an empty one next to it was not started")
    with tempfile.TemporaryDirectory(dir=engine, prefix="empty-") as name:
        folder = Path(name)
        address = f"unix://{folder}/docker.sock"
        settings = {
            "hosts": [address],
            "group": "root",
            "data-root": f"{folder}/data",
            "exec-root": f"{folder}/run",
            "pidfile": f"{folder}/pid",
            "containerd": str(engine / "state/containerd.sock"),
            "init-path": str(engine / "daemon/docker-init"),
            "features": {"containerd-snapshotter": False},
            "bridge": "none",
            "iptables": False,
            "ip6tables": False,
        }
        (folder / "daemon.json").write_text(json.dumps(settings))
        environment = {**os.environ, "PATH": f"{engine}/daemon:{os.environ['PATH']}"}
        with (folder / "log").open("wb") as log:
            own = ["--containerd-namespace", "wsgilab-empty", "--containerd-plugins-namespace", "wsgilab-empty-plugins"]
            command = [engine / "daemon/dockerd", "--config-file", folder / "daemon.json", *own]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(lambda: process.poll() is not None or answers(address), "a second dockerd")
            assert process.poll() is None, (folder / "log").read_text()
            yield address
        finally:
            process.terminate()
            process.wait(timeout=60)


def answers(address: str) -> bool:
    return docker(address, "version").returncode == 0


def docker(address: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "--host", address, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_an_empty_engine_gets_the_images_once(stack: Stack, empty_engine: str, tmp_path: Path) -> None:
    names = images.names(ROOT)
    assert SERVER in names
    assert stack.variable("GRAFANA_IMAGE") in names
    assert docker(empty_engine, "image", "ls", "--quiet").stdout == ""

    chosen = [RUNNER, SERVER]  # which share most of their layers: all images would take longer
    described = [found for name in chosen if (found := images.described(name))]
    images.save(chosen, tmp_path / "images.tar.gz")
    sources = {"lab/locks/local.txt": ROOT / "locks/local.txt", "images/images.tar.gz": tmp_path / "images.tar.gz"}
    contents = Contents(
        "0.1.0",
        "2026-01-01T00:00:00+00:00",
        bundles.this_machine(),
        tuple(image for image, _ in described),
        tuple(bundles.piece_of(name, path) for name, path in sources.items()),
    )
    bundles.write(tmp_path / "lab.tar", contents, sources)

    used = stack.lab("bundle", "--use", str(tmp_path / "lab.tar"), DOCKER_HOST=empty_engine)
    assert used.returncode == 0, used.stdout + used.stderr
    assert "loading 2 images" in used.stderr
    program = ["--network", "none", "--entrypoint", "python3", SERVER, "-c", "import flask, gunicorn; print('ready')"]
    ran = docker(empty_engine, "run", "--rm", *program)
    assert ran.stdout == "ready\n", ran.stderr
    again = stack.lab("bundle", "--use", str(tmp_path / "lab.tar"), DOCKER_HOST=empty_engine)
    assert (again.returncode, "the images are there already" in again.stderr) == (0, True), again.stderr
