"""What an app requires is gathered with all that it refers to, and told apart by what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.errors import UsageError
from wsgilab.machine.requirements import NAME, Gathered, Requirements, gather, names_a_file, told_from


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as many are: files of requirements that name each other, and itself."""
    folder = tmp_path / "project"
    (folder / "requirements").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "requirements.txt").write_text("-r requirements/production.txt  # what the host wants\n")
    (folder / "requirements/production.txt").write_text("-r base.txt\n-c pins.txt\ngunicorn\n-e .\n")
    (folder / "requirements/base.txt").write_text(
        "flask==3.1.3 \\\n    --hash=sha256:00\nlib @ https://a.org/lib.zip\n"
    )
    (folder / "requirements/pins.txt").write_text("werkzeug<4\n")
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\nversion = '1'\n")
    return folder


def gathered(tmp_path: Path, folder: str, requirements: Requirements) -> tuple[Path, Gathered]:
    target = tmp_path / folder
    target.mkdir()
    return target, gather(requirements, target, f"/in/{folder}")


def test_files_that_name_each_other_become_one(tmp_path: Path, project: Path) -> None:
    target, found = gathered(tmp_path, "a", Requirements(("six",), (project / "requirements.txt",)))
    assert found.told("/in/a/2-project cannot be built") == f"{project} cannot be built"
    assert (target / NAME).read_text().splitlines() == [
        "six",
        "flask==3.1.3 \\",
        "    --hash=sha256:00",
        "lib @ https://a.org/lib.zip",
        "--constraint /in/a/1-pins.txt",
        "gunicorn",
        "/in/a/2-project",
    ]
    assert (target / "1-pins.txt").read_text() == "werkzeug<4\n"
    assert (target / "2-project/pyproject.toml").exists(), "a copy: pip builds in it"
    assert not (target / "2-project/.git").exists()


def test_what_any_of_them_says_counts_and_where_they_lie_does_not(tmp_path: Path, project: Path) -> None:
    wanted = Requirements(files=(project / "requirements.txt",))
    first = gathered(tmp_path, "a", wanted)[1].digest
    assert gathered(tmp_path, "b", wanted)[1].digest == first
    for number, name in enumerate(("requirements/base.txt", "requirements/pins.txt", "pyproject.toml")):
        (project / name).write_text((project / name).read_text() + "# more\n")
        assert gathered(tmp_path, str(number), wanted)[1].digest != first, name


def test_a_wheel_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "shop-1.0-py3-none-any.whl").write_bytes(b"zip")
    target, _ = gathered(tmp_path, "a", Requirements((f"{tmp_path}/shop-1.0-py3-none-any.whl[fast]",)))
    assert (target / NAME).read_text() == "/in/a/1/shop-1.0-py3-none-any.whl[fast]\n"
    assert (target / "1/shop-1.0-py3-none-any.whl").exists()


def test_what_is_not_there_or_leads_in_a_circle_is_told(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    for text, message in (
        ("-r none.txt", "cannot be read"),
        ("-e ./lib", "There is no"),
        ("-r requirements.txt", "itself"),
    ):
        file.write_text(text)
        with pytest.raises(UsageError, match=message):
            gather(Requirements(files=(file,)), tmp_path, "/in")


def test_words_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "needs.list").write_text("flask")
    (tmp_path / "shop.whl").write_text("")
    files = ("needs.list", "requirements.txt", "missing.in")
    assert [names_a_file(word, tmp_path) for word in (*files, "flask", "shop.whl", ".")] == [True] * 3 + [False] * 3
    assert told_from(".[dev]", tmp_path) == f"{tmp_path}/.[dev]"
    assert told_from("shop.whl", tmp_path) == f"{tmp_path}/shop.whl"
    assert [told_from(word, tmp_path) for word in ("flask>=3", "a @ https://b.org/c.whl")] == [
        "flask>=3",
        "a @ https://b.org/c.whl",
    ]


def test_a_file_may_come_from_a_powershell(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("flask==3.1.3\n", encoding="utf-16")
    target, _ = gathered(tmp_path, "a", Requirements(files=(file,)))
    assert (target / NAME).read_text() == "flask==3.1.3\n"
