"""Wheels of a lock file, and of what an app requires, for a machine that is as this one."""

from __future__ import annotations

import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from wsgilab.errors import MissingError, to_paste
from wsgilab.machine import pip_words, processes
from wsgilab.machine.environments import pip_wheel
from wsgilab.machine.requirements import Gathered, Requirements, gather

TIMEOUT_S = 900.0
OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-input")
ONLY_WHEELS = ("--only-binary", ":all:")
"""What is built when it is installed needs a network then, and a compiler."""
USUAL_BUILD = ("setuptools>=40.8.0",)
"""What a project is built with that does not say it (PEP 518)."""
WHEEL = "wheel"
"""What older pips and setuptools ask for besides, whatever the project says."""


def download(lock: Path, folder: Path) -> None:
    """Have the wheels of a lock file in a folder, and pip's own: not every Python has one. Raises MissingError."""
    for wanted in (["--require-hashes", "--requirement", str(lock)], ["--no-deps", "pip"]):
        line = [*_pip(), "download", *OPTIONS, *ONLY_WHEELS, "--dest", str(folder), *wanted]
        done = processes.ask(line, timeout_s=TIMEOUT_S)
        if not done.ok:
            raise MissingError(
                f"The wheels of {lock} could not be downloaded: {done.last_line}.",
                "no network, or no wheel of a package for this machine and this Python",
                to_paste(
                    sys.executable,
                    "-m",
                    "pip",
                    "download",
                    "--only-binary",
                    ":all:",
                    "--dest",
                    "/tmp/wheels",
                    "-r",
                    lock,
                ),
            )


def build(requirements: Requirements, folder: Path) -> None:
    """Have the wheels of all that an app requires in a folder; those that nobody offers are built here, now.

    Projects of this machine are built when they are installed: what that takes is there too. Raises LabError.
    """
    with tempfile.TemporaryDirectory(prefix="wsgilab-requirements-") as name:
        gathered = gather(requirements, Path(name), name)
        wanted = ["--requirement", str(gathered.file)]
        for words in (wanted, [*_built_with(gathered)]):
            line = [*_pip(), "wheel", *OPTIONS, "--wheel-dir", str(folder), *words]
            done = processes.ask(line, timeout_s=TIMEOUT_S) if words else None
            if done and not done.ok:
                raise pip_words.explained(done, requirements.arguments())


def _pip() -> list[str]:
    own = pip_wheel()
    return [sys.executable, *([str(own / "pip")] if own else ["-m", "pip"])]


def _built_with(gathered: Gathered) -> Iterator[str]:
    """What the projects of this machine need to be built."""
    for copy in map(Path, gathered.sources):
        if copy.is_dir():
            described = copy / "pyproject.toml"
            said = tomllib.loads(described.read_text(encoding="utf-8")) if described.is_file() else {}
            yield from (*said.get("build-system", {}).get("requires", USUAL_BUILD), WHEEL)


def unpacked_bytes(wheel: Path) -> int:
    """What a wheel takes once it is installed, about."""
    with zipfile.ZipFile(wheel) as archive:
        return sum(member.file_size for member in archive.infolist())
