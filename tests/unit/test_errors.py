"""What to do next is a line that can be pasted, whatever a path is called."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from wsgilab import bootstrap
from wsgilab.api.prepared import settled
from wsgilab.commands import doctor_workshop, init
from wsgilab.errors import LabError, to_edit, to_paste
from wsgilab.lab import app_file, own_app
from wsgilab.machine import bundles, environments, requirements
from wsgilab.model.request import Request
from wsgilab.results import baselines
from wsgilab.results.folder import RunFolder
from wsgilab.workshop import progress

AWKWARD = 'my app\'s "best" $HOME; rm'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a name that a shell would take apart."""
    made = tmp_path / AWKWARD
    made.mkdir()
    return made


def spoilt(folder: Path, name: str) -> Path:
    """A file of this name that is neither text nor JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x80{")
    return path


def run_in(folder: Path) -> Path:
    return RunFolder.create(folder / "run").path


REFUSED: dict[str, Callable[[Path], object]] = {
    "no folder of an app": lambda folder: settled(Request(app_dir=str(folder / "nowhere"))),
    "no app to describe": lambda folder: init.command.main(["--app-dir", str(folder / "no")], standalone_mode=False),
    "an app without lab.toml": lambda folder: app_file.read(folder / "lab.toml"),
    "a lab.toml that is no text": lambda folder: app_file.read(spoilt(folder, "lab.toml")),
    "no script": lambda folder: own_app.fields("run", {"script": str(folder / "nowhere.js")}),
    "requirements that are no text": lambda folder: requirements._read(spoilt(folder, "requirements.txt")),
    "a requirement that is not there": lambda folder: requirements._source(Path("nowhere"), folder),
    "no baseline": lambda folder: baselines.read(folder / "nowhere.json"),
    "a baseline that is none": lambda folder: baselines.read(spoilt(folder, "verdict.json")),
    "a bundle that is none": lambda folder: bundles.read(spoilt(folder, "lab.tar")),
    "a file of a run": lambda folder: RunFolder.open(run_in(folder) / "windows.jsonl"),
    "a run that is there": lambda folder: RunFolder.create(run_in(folder)),
    "progress that is no JSON": lambda folder: progress.read(spoilt(folder, "workshop/progress.json").parents[1]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_path_survives_in_what_to_do_next(case: str, folder: Path) -> None:
    with pytest.raises(LabError) as refused:
        REFUSED[case](folder)
    words = shlex.split(refused.value.next_command)
    assert any(word.startswith(str(folder)) for word in words), refused.value.next_command


def test_so_does_that_of_the_clone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", folder)
    assert shlex.split(bootstrap._no_room(OSError("full"))[2]) == ["df", "-h", str(folder)]
    assert shlex.split(doctor_workshop._disk(folder, least_mb=10**12).fix) == ["df", "-h", str(folder)]
    assert shlex.split(environments._cannot_write(folder / "a/b", None).next_command)[2] == f"{folder};"


def test_a_shell_takes_a_line_apart_into_the_same_words() -> None:
    words = ["ls", "-l", AWKWARD, "", "--a=b c", "ä"]
    assert shlex.split(to_paste(*words)) == words
    assert to_paste("ls", Path("/plain/path"), 3) == "ls /plain/path 3"
    assert to_edit("lab.toml", 7) == "${EDITOR:-vi} +7 lab.toml"
    assert to_edit("my lab.toml") == "${EDITOR:-vi} 'my lab.toml'"
