"""Who may import whom: what runs beside a server, what measures it, and what only thinks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

PURE = (
    *("stats", "validity", "slo", "claims", "verdict", "capacity", "capacity_verdict"),
    *("answer", "explain", "changes", "saved", "window_rows"),
)
WORLD = {"datetime", "http", "os", "pathlib", "random", "socket", "subprocess", "sys", "threading", "time", "urllib"}
"""Modules of Python that lead out of a computation. A path in an address is none."""
HARMLESS = {"urllib.parse"}


def imports(path: Path) -> Iterator[str]:
    """What a file imports, as it says it: `os`, `wsgilab.records`, `wsgilab.stats` for `from wsgilab import stats`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{name.name}" for name in node.names]
            yield from [name for name in inner if source(name)] or [str(node.module)]


def source(module: str) -> Path | None:
    """The file of a module of ours."""
    base = ROOT / module.replace(".", "/")
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)


def reached(module: str) -> set[str]:
    """All that a module of ours imports, and what that imports, and so on."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        path = source(waiting.pop())
        new = set(imports(path)) - found if path and path.is_relative_to(ROOT / "wsgilab") else set()
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("module", PURE)
def test_what_turns_windows_into_a_verdict_knows_no_clock_no_file_and_no_process(module: str) -> None:
    impure = {name for name in reached(f"wsgilab.{module}") - HARMLESS if name.partition(".")[0] in WORLD}
    assert impure == set()


def test_neither_room_imports_the_other() -> None:
    def first_names(room: str) -> set[str]:
        return {name.partition(".")[0] for path in (ROOT / room).rglob("*.py") for name in imports(path)}

    beside_servers, runner = ({path.stem for path in (ROOT / room).rglob("*.py")} for room in ("services", "wsgilab"))
    assert "wsgilab" not in first_names("services")
    assert not first_names("wsgilab") & ({"services"} | beside_servers - runner)
