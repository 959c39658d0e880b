"""After all the others: what is left of the stack."""

from __future__ import annotations

import subprocess

from compose_stack import Stack


def test_down_leaves_nothing_behind(stack: Stack, main_job: str) -> None:
    stack.compose("--profile", "more", "down", "--volumes", "--timeout", "5")
    label = f"label=com.docker.compose.project={stack.environment['COMPOSE_PROJECT_NAME']}"
    for kind in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
        left = subprocess.run(
            ["docker", *kind, "--quiet", "--filter", label],
            env=stack.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert left.stdout == "", kind
