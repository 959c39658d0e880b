"""The recipes for pipelines in the how-to: as far as a shell can try them, and every gate that the docs name."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from support import ROOT

from wsgilab.commands.cli import lab

HOW_TO = (ROOT / "docs/how-to.md").read_text()
RECIPES = {
    text.splitlines()[0].removeprefix("# "): yaml.safe_load(text)
    for text in re.findall(r"^```yaml\n(.*?)^```", HOW_TO, re.MULTILINE | re.DOTALL)
}
GITHUB, GITLAB = ".github/workflows/gate.yaml", ".gitlab-ci.yml"
VARIABLES = {
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": "1f2e3d4c5b6a79880123456789abcdef01234567",
    "LAB": "https://gitlab.example/OWNER/wsgilab.git",
    "NUMBER": "17",
}
WRITES_DOWN = """#!/bin/sh
printf '%s\\0' "${0##*/}" "$@" >> "$CALLS"; printf '\\n' >> "$CALLS"
"""
THE_LAB = f"{WRITES_DOWN}echo '### passed' > gate.md\n"
GIT = f"""{WRITES_DOWN}
for last; do :; done
mkdir "$last"; cp "$TOOLS/the-lab" "$last/lab"
"""


@dataclass(frozen=True)
class Pipeline:
    """A checkout in which a recipe's lines are run, with programs that write down how they were called."""

    folder: Path

    def run(self, lines: str) -> None:
        tools = self.folder / "tools"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            cwd=self.folder,
            env={
                **VARIABLES,
                "PATH": f"{tools}:{os.environ['PATH']}",
                "TOOLS": str(tools),
                "CALLS": str(self.folder / "calls"),
                "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def calls(self, program: str) -> list[list[str]]:
        """The arguments of each call of a program."""
        lines = (self.folder / "calls").read_text().split("\0\n")
        return [words[1:] for line in lines if (words := line.split("\0"))[0] == program]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    (tmp_path / "tools").mkdir()
    for name, text in {"git": GIT, "gh": WRITES_DOWN, "the-lab": THE_LAB}.items():
        (tmp_path / "tools" / name).write_text(text)
        (tmp_path / "tools" / name).chmod(0o755)
    return Pipeline(tmp_path)


def parsed(words: list[str]) -> dict[str, Any]:
    """What the command line of a gate is understood as."""
    assert words[0] == "gate"
    command = lab.get_command(click.Context(lab), "gate")
    assert command
    return command.make_context("./lab gate", words[1:]).params


def steps() -> list[dict[str, Any]]:
    return list(RECIPES[GITHUB]["jobs"]["gate"]["steps"])


def test_the_recipe_for_github_gates_what_is_merged_against_what_it_is_merged_into(pipeline: Pipeline) -> None:
    (own, other, *_) = steps()
    assert own["with"]["fetch-depth"] == 2, "HEAD^1 has to be there"
    (pipeline.folder / other["with"]["path"]).mkdir()
    (pipeline.folder / "tools/the-lab").rename(pipeline.folder / other["with"]["path"] / "lab")
    for step in steps():
        if "run" in step:
            pipeline.run(step["run"])
    (words,) = pipeline.calls("lab")
    asked = parsed(words)
    assert (asked["against"], asked["servers"], asked["github"]) == ("HEAD^1", ("gunicorn",), True)
    assert pipeline.calls("gh") == [
        ["pr", "comment", "17", "--body-file", "gate.md", "--edit-last", "--create-if-none"]
    ]
    assert (pipeline.folder / "summary").read_text() == "### passed\n"


def test_what_a_step_of_github_waits_for_and_may_is_said() -> None:
    (gate, summary, comment) = [step for step in steps() if "run" in step]
    assert "if" not in gate
    assert "!cancelled()" in summary["if"], "a gate that failed is what the comment is for"
    assert "fork" in comment["if"]
    assert RECIPES[GITHUB][True] == "pull_request"  # YAML 1.1 takes `on` for true
    assert RECIPES[GITHUB]["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert all(not step.get("with", {}).get("persist-credentials") for step in steps())


def test_the_recipe_for_gitlab_gates_a_branch_against_where_it_began(pipeline: Pipeline) -> None:
    job = RECIPES[GITLAB]["gate"]
    pipeline.run("\n".join(job["script"]))
    assert pipeline.calls("git") == [["clone", "--depth", "1", VARIABLES["LAB"], ".wsgilab"]]
    (words,) = pipeline.calls("lab")
    asked = parsed(words)
    assert asked["against"] == VARIABLES["CI_MERGE_REQUEST_DIFF_BASE_SHA"]
    assert str(asked["junit"]) == job["artifacts"]["reports"]["junit"]
    assert str(asked["markdown"]) in job["artifacts"]["paths"]
    assert job["variables"]["GIT_DEPTH"] == "0", "the commit has to be there"


def test_every_gate_in_the_docs_is_understood() -> None:
    documents = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    lines = [
        line
        for file in documents
        for line in re.findall(r"^ {4}(\./lab gate .+?)(?: {3}.*)?$", file.read_text(), re.MULTILINE)
    ]
    assert len(lines) >= 2
    for line in lines:
        assert parsed(shlex.split(line)[1:])["servers"], line
