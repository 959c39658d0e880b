"""What the folder of an app says about it, and what another revision of that folder says."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.errors import UsageError
from wsgilab.lab.own_app import at_revision, fields, needs
from wsgilab.model.request import Request

LAB_TOML = """
[app]
app = "shop:app"
python = "3.12"
"""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The app's folder now, and as it was: another module, another Flask."""
    now, was = tmp_path / "now", tmp_path / "was"
    for folder, app, flask in ((now, "shop:app", "3.1"), (was, "old_shop:app", "2.3")):
        folder.mkdir()
        (folder / "lab.toml").write_text(LAB_TOML.replace("shop:app", app))
        (folder / "requirements.txt").write_text(f"flask=={flask}\n")
    return now, was


def request_for(folder: Path, **options: object) -> Request:
    return Request(**fields("gate", {"app_dir": str(folder), **options}))  # type: ignore[arg-type]


def test_a_revision_has_from_its_folder_what_the_app_has_from_its_own(folders: tuple[Path, Path]) -> None:
    now, was = folders
    request = request_for(now, app_variables=(("MODE", "lab"),))
    revision = at_revision(request, now, was, "main")
    assert (request.app, request.requirement_files) == ("shop:app", (str(now / "requirements.txt"),))
    assert (revision.app, revision.requirement_files) == ("old_shop:app", (str(was / "requirements.txt"),))
    assert (revision.name, revision.app_dir, revision.python) == ("main", str(was), "3.12")
    assert revision.app_variables == {"MODE": "lab"}, "the same for both"


def test_what_was_asked_for_is_the_same_for_both(folders: tuple[Path, Path]) -> None:
    request = request_for(folders[0], app="wsgi:app", python="3.11", requirements=("flask",))
    revision = at_revision(request, *folders, "main")
    assert (revision.app, revision.python, revision.requirements) == ("wsgi:app", "3.11", ("flask",))
    assert revision.requirement_files == ()


def test_a_revision_may_be_older_than_its_requirements(folders: tuple[Path, Path]) -> None:
    now, was = folders
    (was / "requirements.txt").unlink()
    (was / "lab.toml").unlink()
    (was / "pyproject.toml").write_text('[project]\nname = "shop"\ndependencies = ["flask<3"]\n')
    revision = at_revision(request_for(now), now, was, "main")
    assert (revision.requirements, revision.requirement_files) == (("flask<3",), ())
    assert (revision.app, revision.python) == (None, None)
    (was / "pyproject.toml").unlink()
    assert needs(was) == {"app": None, "python": None, "requirements": (), "requirement_files": ()}


def test_a_file_of_variables_is_not_looked_for_in_the_revision(folders: tuple[Path, Path]) -> None:
    """It holds secrets, so git seldom has it; the app's own are used."""
    now, was = folders
    for folder in folders:
        text = (folder / "lab.toml").read_text()
        (folder / "lab.toml").write_text(f'{text}env_file = "lab.env"\n')
    (now / "lab.env").write_text("TOKEN=abc\n")
    assert at_revision(request_for(now), now, was, "main").app_variables == {"TOKEN": "abc"}


BAD_VARIABLES = {
    "no value": ("A=1\n\n\nTOKEN\n", "line 4: this is no variable"),
    "no name": ("# a comment\nexport A=1\nmy secret = x\n", "line 3: this is no variable"),
    "a quote that does not end": ("A='s3cret\n", "line 1: this is no variable"),
    "a variable of the lab": ("PATH=/bin\n", "has PATH, which cannot be a variable for the app"),
    "another encoding": ("A=\xff", "it is not UTF-8"),
}


@pytest.mark.parametrize("case", BAD_VARIABLES)
def test_a_file_of_variables_that_cannot_be_read_is_told_by_its_line_and_not_by_its_text(
    tmp_path: Path, case: str
) -> None:
    text, what = BAD_VARIABLES[case]
    (tmp_path / "lab.env").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as refused:
        fields("run", {"env_file": str(tmp_path / "lab.env")})
    assert what in refused.value.what
    assert "secret" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_variables_of_a_file_are_read_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "lab.env").write_text('\ufeffA=1 # one\nexport B="two\nlines"\nC=$A\nD=\n')
    found = fields("run", {"env_file": str(tmp_path / "lab.env"), "app_variables": (("A", "2"),)})
    assert found["app_variables"] == {"A": "2", "B": "two\nlines", "C": "$A", "D": ""}


def test_a_file_of_variables_that_is_not_there_is_told_with_the_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text('[app]\nenv_file = "lab.env"\n')
    with pytest.raises(UsageError) as refused:
        fields("run", {"app_dir": str(tmp_path)})
    assert refused.value.what.startswith(f"{tmp_path}/lab.toml, line 2: app.env_file: there is no {tmp_path}/lab.env")


@pytest.mark.parametrize(
    ("name", "text", "is_installed"),
    [
        ("pyproject.toml", "[tool.poetry.dependencies]\nflask = '*'\n[build-system]\nrequires = ['poetry-core']", True),
        ("pyproject.toml", "[project]\nname = 'a'\ndynamic = ['dependencies']\n[build-system]\nrequires = []", True),
        ("setup.py", "from setuptools import setup\nsetup(name='a')", True),
        ("pyproject.toml", "[project]\nname = 'a'\ndependencies = []\n[build-system]\nrequires = []", False),
        ("pyproject.toml", "[tool.ruff]\nline-length = 120", False),
        ("README.md", "", False),
    ],
)
def test_a_project_whose_build_knows_what_it_needs_is_installed_itself(
    tmp_path: Path, name: str, text: str, is_installed: bool
) -> None:
    (tmp_path / name).write_text(text)
    assert needs(tmp_path)["requirements"] == ((str(tmp_path),) if is_installed else ())


TRAFFIC = """
[traffic]
slo = "p99<500ms"

[[requests]]
name = "look"
path = "/"

[[requests]]
name = "check out"
path = "/out"
slo = "p95<100ms"
"""


def test_objectives_of_single_requests_join_that_of_all(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text(TRAFFIC)
    assert request_for(tmp_path).slo == "p99<500ms; check out: p95<100ms"
    assert request_for(tmp_path, slo="p99<1s").slo == "p99<1000ms; check out: p95<100ms"
    assert request_for(tmp_path, slo="look: p50<9ms; check out: p95<1s").slo == (
        "p99<250ms; check out: p95<1000ms; look: p50<9ms"
    )
    assert request_for(tmp_path, workload="/").slo == "p99<500ms", "the requests of lab.toml are not what is measured"


def test_an_objective_for_requests_that_are_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text(TRAFFIC)
    with pytest.raises(UsageError) as refused:
        request_for(tmp_path, slo="p99<250ms; checkout: p95<1s")
    assert "requests named 'checkout'" in refused.value.what
    assert refused.value.cause == "did you mean 'check out'?"
    with pytest.raises(UsageError, match="requests named 'look'"):
        request_for(tmp_path, slo="look: p95<1s", workload="/")
