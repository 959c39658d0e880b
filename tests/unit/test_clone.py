"""A clone by Git for Windows, which turns line ends into CRLF where nobody says otherwise, still runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support import ROOT

GIT = ["git", "-c", "safe.directory=*"]


def test_a_clone_with_autocrlf_has_the_line_ends_that_a_container_needs(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: what a clone gets was not tested")
    clone = tmp_path / "clone"
    command = [*GIT, "-c", "core.autocrlf=true", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(clone)]
    subprocess.run(command, check=True)
    scripts = ["lab", ".ci/run", "locks/compile.sh", "services/serve/entrypoint.sh", *map(str, clone.rglob("*.sh"))]
    assert [name for name in scripts if b"\r" in (clone / name).read_bytes()] == []
    listed = subprocess.run([*GIT, "ls-files", "--eol"], cwd=clone, check=True, capture_output=True, text=True).stdout
    assert [line for line in listed.splitlines() if "w/crlf" in line or "w/mixed" in line] == []
