"""What lock files have settled, as lines for pip."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.errors import UsageError
from wsgilab.lab.own_app import needs
from wsgilab.machine.locks import pins
from wsgilab.machine.requirements import NAME, Requirements, gather

UV = """
version = 1
requires-python = ">=3.12"

[[package]]
name = "shop"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "flask" }]

[[package]]
name = "flask"
version = "3.0.3"
source = { registry = "https://index.example/simple" }

[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://index.example/simple" }

[[package]]
name = "numpy"
version = "2.1.0"
source = { registry = "https://index.example/simple" }
"""
POETRY = """
[[package]]
name = "flask"
version = "3.0.3"

[[package]]
name = "ours"
version = "1.0"
[package.source]
type = "git"
url = "https://git.example/ours.git"

[[package]]
name = "mirrored"
version = "2.0"
[package.source]
type = "legacy"
url = "https://index.example/simple"
"""
PDM = '[[package]]\nname = "flask"\nversion = "3.0.3"\n[[package]]\nname = "ours"\nversion = "1"\npath = "./ours"\n'
STANDARD = """
lock-version = "1.0"
[[packages]]
name = "flask"
version = "3.0.3"
[[packages]]
name = "ours"
directory = {path = "."}
[[packages]]
name = "theirs"
version = "1.0"
vcs = {type = "git", url = "https://git.example/theirs.git"}
"""


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        (UV, ["flask==3.0.3"]),
        (POETRY, ["flask==3.0.3", "mirrored==2.0"]),
        (PDM, ["flask==3.0.3"]),
        (STANDARD, ["flask==3.0.3"]),
        ("", []),
    ],
)
def test_each_version_of_an_index_is_settled_and_no_other(text: str, settled: list[str]) -> None:
    assert pins(text) == settled


@pytest.mark.parametrize("text", ["not toml", "package = 5", 'package = ["flask"]', '[[package]]\nversion = "1"'])
def test_what_is_no_lock_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        pins(text)


def test_a_project_with_a_lock_gets_the_versions_that_it_has(tmp_path: Path) -> None:
    project, target = tmp_path / "shop", tmp_path / "target"
    project.mkdir()
    target.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "shop"\ndependencies = ["flask>=3"]\n')
    (project / "uv.lock").write_text(UV)
    wanted = Requirements(needs(project)["requirements"])
    assert wanted.arguments() == ["flask>=3"], "as somebody would type them"
    gathered = gather(wanted, target, "/in")
    assert gathered.file == target / NAME
    assert gathered.file.read_text() == "flask>=3\n--constraint /in/1-uv.lock\n"
    assert (target / "1-uv.lock").read_text() == "flask==3.0.3\n"
    (project / "uv.lock").write_text("edited by hand")
    with pytest.raises(UsageError, match=r"uv\.lock cannot be read"):
        gather(wanted, target, "/in")


def test_a_file_of_requirements_may_be_named_as_in_another_one(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text('[app]\nrequirements = ["-r base.txt", "six"]\n')
    (tmp_path / "base.txt").write_text("flask\n")
    found = needs(tmp_path)
    assert (found["requirements"], found["requirement_files"]) == (("six",), (str(tmp_path / "base.txt"),))
