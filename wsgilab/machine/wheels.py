"""Wheels of a lock file, downloaded for a machine that is as this one."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from wsgilab.errors import MissingError, to_paste
from wsgilab.machine import processes
from wsgilab.machine.environments import pip_wheel

TIMEOUT_S = 900.0
OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:")
"""Wheels only: what is built when it is installed needs a network then, and a compiler."""


def download(lock: Path, folder: Path) -> None:
    """Have the wheels of a lock file in a folder, and pip's own: not every Python has one. Raises MissingError."""
    own = pip_wheel()
    pip = [sys.executable, *([str(own / "pip")] if own else ["-m", "pip"]), "download", *OPTIONS]
    for wanted in (["--require-hashes", "--requirement", str(lock)], ["--no-deps", "pip"]):
        done = processes.ask([*pip, "--dest", str(folder), *wanted], timeout_s=TIMEOUT_S)
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


def unpacked_bytes(wheel: Path) -> int:
    """What a wheel takes once it is installed, about."""
    with zipfile.ZipFile(wheel) as archive:
        return sum(member.file_size for member in archive.infolist())
