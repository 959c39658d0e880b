"""The house has floors: imports go downwards only, and the lower rooms know nothing of the world."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support import ROOT

FLOORS = (
    ("__main__",),
    ("commands",),
    ("api",),
    ("view",),
    ("reports", "workshop"),
    ("measure",),
    ("engines", "results", "kubernetes"),
    ("lab",),
    ("analysis", "machine"),
    ("model",),
    ("errors", "__init__"),
)
"""Top to bottom. A room may import from itself and from the floors below; rooms of one floor do not know each other."""
PURE = ("analysis", "model")
ALONE = ("bootstrap",)
"""Runs before there is anything to import."""
BEFORE = ("errors", "model/bundle", "machine/bundles")
"""What it reads a bundle with, so these need nothing but the standard library."""
WORLD = {"datetime", "http", "os", "pathlib", "random", "socket", "subprocess", "sys", "threading", "time", "urllib"}
"""Modules of Python that lead out of a computation. A path in an address is none."""
HARMLESS = {"urllib.parse"}
FRONT_DOOR = "__init__"
"""Stands on the lowest floor and names what is in `api`, which it opens when it is asked."""
SPEAKERS = ("commands", "__main__", "bootstrap")
"""Where something is printed, and an exit code picked."""
READERS = (*SPEAKERS, "machine/environment.py", "machine/tools.py", "machine/packages.py", "machine/environments.py")
"""Where the environment is read: what programs inherit, and where tools are looked for, are the machine's business."""
HOUSE = ROOT / "wsgilab"


def imports(path: Path) -> Iterator[str]:
    """What a file imports: `os`, `wsgilab.model.window`, `wsgilab.analysis.stats`."""
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


def room_of(path: Path) -> str:
    """The folder below wsgilab/ that a file is in, or the name of a file that stands there itself."""
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def ours(path: Path) -> set[str]:
    """The modules of the lab that a file imports: `machine/bundles`."""
    found = [source(name) for name in imports(path) if name.partition(".")[0] == "wsgilab"]
    return {str(module.relative_to(HOUSE).with_suffix("")) for module in found if module}


def rooms_imported(path: Path) -> set[str]:
    """The rooms that a file imports from."""
    return {Path(module).parts[0] for module in ours(path)}


def floor(room: str) -> int:
    """How far up a room is."""
    return next(len(FLOORS) - number for number, rooms in enumerate(FLOORS) if room in rooms)


def files(room: str = "") -> list[Path]:
    return [path for path in sorted(HOUSE.rglob("*.py")) if not room or room_of(path) == room]


def test_every_folder_and_file_is_on_a_floor() -> None:
    known = {room for rooms in FLOORS for room in rooms} | set(ALONE)
    assert {room_of(path) for path in files()} <= known


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(HOUSE)))
def test_imports_go_downwards_only(path: Path) -> None:
    room = room_of(path)
    if room in ALONE:
        assert ours(path) <= set(BEFORE)
        return
    if room == FRONT_DOOR:
        assert rooms_imported(path) <= {"api"}
        return
    upwards = {other for other in rooms_imported(path) - {room} if floor(other) >= floor(room)}
    assert upwards == set()


@pytest.mark.parametrize("module", BEFORE)
def test_what_reads_a_bundle_needs_nothing_that_a_bundle_brings(module: str) -> None:
    path = HOUSE / f"{module}.py"
    assert {name.partition(".")[0] for name in imports(path)} <= {*sys.stdlib_module_names, "wsgilab"}
    assert ours(path) <= set(BEFORE)


@pytest.mark.parametrize("path", [path for room in PURE for path in files(room)], ids=lambda path: path.stem)
def test_what_turns_windows_into_a_verdict_knows_no_clock_no_file_and_no_process(path: Path) -> None:
    assert {name for name in set(imports(path)) - HARMLESS if name.partition(".")[0] in WORLD} == set()


def test_neither_side_imports_the_other() -> None:
    def first_names(room: str) -> set[str]:
        return {name.partition(".")[0] for path in (ROOT / room).rglob("*.py") for name in imports(path)}

    beside_servers, runner = ({path.stem for path in (ROOT / room).rglob("*.py")} for room in ("services", "wsgilab"))
    assert "wsgilab" not in first_names("services")
    assert not first_names("wsgilab") & ({"services"} | beside_servers - runner)


def test_the_front_door_opens_nothing_until_it_is_asked() -> None:
    code = "import sys, wsgilab; print([name for name in sys.modules if name.startswith('wsgilab.')])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "[]\n"


def uses(path: Path) -> set[str]:
    """The dotted names that a file uses, and the plain ones that it calls: `os.environ`, `sys.stdout`, `print`."""
    tree = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    dotted = {ast.unparse(node) for node in tree if isinstance(node, ast.Attribute)}
    called = {ast.unparse(node.func) for node in tree if isinstance(node, ast.Call)}
    return dotted | called | set(imports(path))


def elsewhere(places: Sequence[str]) -> list[Path]:
    return [path for path in files() if room_of(path) not in places and str(path.relative_to(HOUSE)) not in places]


@pytest.mark.parametrize("path", elsewhere(SPEAKERS), ids=lambda path: str(path.relative_to(HOUSE)))
def test_only_commands_print_and_pick_an_exit_code(path: Path) -> None:
    assert not uses(path) & {"print", "sys.exit", "exit", "quit", "sys.stdout", "sys.stderr", "signal.signal", "click"}


@pytest.mark.parametrize("path", elsewhere(READERS), ids=lambda path: str(path.relative_to(HOUSE)))
def test_only_commands_read_the_environment_and_the_machine_for_its_tools(path: Path) -> None:
    assert not uses(path) & {"os.environ", "os.getenv", "os.environb", "os.putenv"}


@pytest.mark.parametrize("path", elsewhere(ALONE), ids=lambda path: str(path.relative_to(HOUSE)))
def test_nobody_writes_to_the_environment(path: Path) -> None:
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    targets = [target for node in tree if isinstance(node, ast.Assign) for target in node.targets]
    assert not [target for target in targets if ast.unparse(target).startswith("os.environ")]


def test_no_two_files_of_tests_have_the_same_name() -> None:
    """pytest imports them by their names alone."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
