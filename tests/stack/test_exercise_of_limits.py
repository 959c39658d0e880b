"""The exercise about limits, walked in containers: a quota freezes a server, and the kernel kills for memory.

Part of `./lab test -m walk`; tests/local/test_workshop.py walks the others.
"""

from __future__ import annotations

import shlex

import pytest
from attempts import WRONG
from compose_stack import Stack

pytestmark = pytest.mark.walk
NAME = "10-limits"


def test_only_the_solution_passes(stack: Stack) -> None:
    def check() -> int:
        return stack.lab("exercise", NAME, "--check").returncode

    stack.lab("exercise", NAME, "--reset")
    assert check() == 6
    stack.lab(*shlex.split(WRONG[NAME].command)[1:])
    assert check() == 6
    solved = stack.lab("exercise", NAME, "--solve")
    assert solved.returncode == 0, solved.stdout + solved.stderr
    assert check() == 0
