"""The maintainers' script that writes digests next to the tags of .env, with a stand-in for the docker command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support import ROOT

DIGEST = "sha256:" + "a" * 64
OLD = "sha256:" + "0" * 64
BEFORE = f"""# images
PYTHON_IMAGE=python:3.13-slim
# with a digest of an earlier version
NGINX_IMAGE=nginx:1.30-alpine@{OLD}
GRAFANA_PORT=3000
"""
DOCKER = """#!/bin/sh
# `docker buildx imagetools inspect --format … IMAGE`
for image; do :; done
case "$image" in {unknown}) echo "ERROR: $image: not found" >&2; exit 1;; *@*) exit 9;; esac
printf %s {digest}
"""


def run(folder: Path, *, unknown: str = "none", digest: str = DIGEST) -> subprocess.CompletedProcess[str]:
    (folder / ".env").write_text(BEFORE)
    docker = folder / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(unknown=unknown, digest=digest))
    docker.chmod(0o755)
    return subprocess.run(
        [ROOT / "locks/digests.sh", folder / ".env"],
        env={**os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_image_gets_its_digest_and_the_rest_stays(tmp_path: Path) -> None:
    assert run(tmp_path).returncode == 0
    assert (tmp_path / ".env").read_text() == BEFORE.replace(":3.13-slim", f":3.13-slim@{DIGEST}").replace(OLD, DIGEST)


@pytest.mark.parametrize("trouble", [{"unknown": "nginx:1.30-alpine"}, {"digest": "Name:"}])
def test_nothing_is_written_where_one_digest_is_missing(tmp_path: Path, trouble: dict[str, str]) -> None:
    done = run(tmp_path, **trouble)
    assert done.returncode == 3
    assert "Next: docker buildx imagetools inspect" in done.stderr
    assert (tmp_path / ".env").read_text() == BEFORE
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "bin"]
