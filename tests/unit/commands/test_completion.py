"""Completion: what the shells ask for, and a real bash that asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from support import ROOT


def completed(*words: str, shell: str = "bash") -> list[str]:
    """What could come in place of the last word."""
    said = subprocess.check_output(
        [sys.executable, "-m", "wsgilab"],
        cwd=ROOT,
        text=True,
        env={
            **os.environ,
            "_LAB_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": " ".join(["lab", *words]),
            "COMP_CWORD": str(len(words)),
        },
    )
    return [line.partition(",")[2] for line in said.splitlines()]


def script(shell: str) -> str:
    command = [sys.executable, "-m", "wsgilab"]
    environment = {**os.environ, "_LAB_COMPLETE": f"{shell}_source"}
    return subprocess.check_output(command, cwd=ROOT, text=True, env=environment)


def test_commands_options_and_engines_are_known() -> None:
    assert completed("re") == ["report"]
    assert "carry-out" not in completed("")
    assert completed("run", "--ro") == ["--rounds"]
    assert completed("run", "--engine", "") == ["auto", "compose", "local"]


@pytest.mark.parametrize(
    ("shell", "asks"),
    [("bash", "bash_complete $1"), ("zsh", "zsh_complete ${words[1]}"), ("fish", "(commandline -opc)[1]")],
)
def test_what_was_typed_is_asked_and_nothing_on_path(shell: str, asks: str) -> None:
    text = script(shell)
    assert asks in text
    assert "commands[lab]" not in text, "zsh would look for lab on PATH"


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash on PATH")
def test_a_real_bash_completes_a_clone_that_is_not_on_path() -> None:
    lines = [
        script("bash"),
        "COMP_WORDS=(./lab cap) COMP_CWORD=1",
        "_lab_completion ./fake",
        'echo "${COMPREPLY[@]}"',
    ]
    fake = ROOT / "lab"
    text = "\n".join(lines).replace("./fake", str(fake))
    done = subprocess.run(["bash", "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "capacity", done.stderr
