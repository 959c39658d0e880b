"""Lint and types, so that one command checks everything."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support import ROOT

COMPOSE_LINT = ["compose_lint", "check", "--strict-config", "--fail-on", "low", "--quiet", "compose.yaml"]


@pytest.mark.parametrize(
    "command", [["ruff", "check", "--no-cache"], ["ruff", "format", "--check", "--no-cache"], ["mypy"], COMPOSE_LINT]
)
def test_is_clean(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
