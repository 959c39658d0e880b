"""Lint and types, so that one command checks everything."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

COMPOSE_LINT = ["compose_lint", "check", "--strict-config", "--fail-on", "low", "--quiet", "compose.yaml"]
READ_ALOUD = [path for room in ("wsgilab", "services") for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize(
    "command", [["ruff", "check", "--no-cache"], ["ruff", "format", "--check", "--no-cache"], ["mypy"], COMPOSE_LINT]
)
def test_is_clean(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


PROGRAMS = (
    "./lab",
    "cksum",
    "tar",
    "docker",
    "kubectl",
    "git",
    "ls",
    "df",
    "sudo",
    "apt-get",
    "pip",
    "python3",
    "pgrep",
    "tail",
    "unset",
    "rm",
    "mv",
    "ps",
    "ip",
)
PROSE = re.compile(r", (and|or|then|to) |; or|…|\bthen\b| says | shows |DIR\b|FOLDER")
OF_FILES = re.compile(r"(ls|df|mv|rm|tail|git|sudo|docker compose --file|\./lab (report|init)|\$\{\{EDITOR)\b")
"""What is followed by a path, which may have a space in it."""


def next_commands(path: Path) -> Iterator[ast.expr]:
    """What errors, pages that cannot be shown, and findings about this machine say to do next."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in ("LabError", "MissingError", "ServerError", "UsageError"):
            yield node.args[-1]
        elif node.func.id == "NotShown":
            yield from node.args[2:]
        elif node.func.id == "Finding" and path.name.startswith("doctor"):
            yield from node.args[3:4]


@pytest.mark.parametrize("path", READ_ALOUD, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_to_do_next_is_a_line_that_can_be_pasted(path: Path) -> None:
    for told in next_commands(path):
        line = ast.unparse(told).removeprefix("f")[1:-1]
        if isinstance(told, ast.Constant | ast.JoinedStr) and line:
            assert not PROSE.search(line), line
            assert line.startswith((*PROGRAMS, "{", "$")) or re.match(r"[A-Z_0-9]+=\S+ ", line), line
            for value in ast.walk(told):
                if isinstance(value, ast.FormattedValue) and OF_FILES.match(line):
                    assert ast.unparse(value.value).startswith("to_paste("), line


@pytest.mark.parametrize("path", READ_ALOUD, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_names_and_docstrings_can_be_read_aloud(path: Path) -> None:
    """A loop variable says what it is, a parameter too; a docstring begins with a verb or a noun; six parameters do."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            assert node.id != "each", f"line {node.lineno}"
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert not (ast.get_docstring(node) or "").startswith("Of "), node.name
        if isinstance(node, ast.FunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            assert len([name for name in given if name.arg not in ("self", "cls")]) <= 6, node.name
            assert "it" not in {name.arg for name in given}, node.name
