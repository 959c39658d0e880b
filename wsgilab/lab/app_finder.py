"""Where the WSGI app in a folder is likely to be, told from its source: nothing of it is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

MODULES = ("wsgi", "app", "application", "main")
"""Where most projects have it, the likeliest first: `flask run` looks into the first two."""
ATTRIBUTES = ("app", "application", "create_app", "make_app")
"""As `flask` and most servers know them: the app itself, or a factory."""
SKIPPED = ("tests", "test", "docs", "venv", "env", "build", "dist", "node_modules", "migrations")
MOST_MODULES = 200


def find(folder: Path) -> str | None:
    """`module:attribute` of the likeliest app below a folder; None where nothing looks like one."""
    for module, path in _modules(folder):
        names = _names(path)
        if found := next((name for name in ATTRIBUTES if name in names), None):
            return f"{module}:{found}"
    return None


def _modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """Modules to look at and their files: those of the folder, then of its packages; `src` counts as the folder too."""
    roots = [root for root in (folder, folder / "src") if root.is_dir()]
    packages = [package for root in roots for package in _packages(root)]
    for root in roots:
        yield from ((name, root / f"{name}.py") for name in MODULES if (root / f"{name}.py").is_file())
    for package in packages:
        yield package.name, package / "__init__.py"
    for package in packages:
        inside = ((name, package / f"{name}.py") for name in MODULES)
        yield from ((f"{package.name}.{name}", path) for name, path in inside if path.is_file())
    for root in roots:
        others = sorted(path for path in root.glob("*.py") if path.stem not in (*MODULES, "setup", "conftest"))
        yield from ((path.stem, path) for path in others[:MOST_MODULES])


def _packages(root: Path) -> list[Path]:
    found = (path.parent for path in sorted(root.glob("*/__init__.py")))
    return [package for package in found if package.name not in SKIPPED and not package.name.startswith((".", "_"))]


def _names(path: Path) -> set[str]:
    """What a module has at its top: assigned, defined or imported."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return set()
    return {name for statement in tree.body for name in _named(statement)}


def _named(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in statement.names)
    elif isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id
