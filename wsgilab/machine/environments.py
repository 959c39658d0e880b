"""Environments for other people's apps: what an app requires, with the servers and the lab's middleware next to it.

Made once and kept by content: the same requirements under the same Python are the same environment. The app's pins win;
a server that cannot live with them is named, with the requirement that it fights.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wsgilab.errors import Interrupted, MissingError, to_paste
from wsgilab.machine import pip_words, processes
from wsgilab.machine.requirements import Gathered, Requirements, gather
from wsgilab.machine.turns import turn_in
from wsgilab.machine.waiting import Stop
from wsgilab.model.words import listed

OLDEST_PYTHON = (3, 9)
"""What the servers of the lock can be installed for."""
COMPLETE = "complete"
"""The file that is written last: without it an environment was left half made."""
MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PYTHONPATH", "PYTHONHOME")
VENV_TIMEOUT_S = 300.0
PIP_WHEELS = ("pip/usr/share/python-wheels/pip-*.whl", "wheels/pip-*.whl")
"""Below .venv: where the bootstrap put one that was in Debian's package, or in a bundle."""
BROUGHT = "wheels"
"""Below .venv: the wheels of a bundle."""
AT = ("Collecting ", "Processing ", "Building wheel", "Installing collected", "install: ")
WAITING = "Another command installs an app's requirements: waiting for it …"

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """A virtual environment that is complete."""

    path: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.path / "bin"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python"


@dataclass(frozen=True)
class Workshop:
    """Where environments are made and kept, and what the lab puts into each."""

    cache: Path
    installer: Path
    """services/install.py, which images are made with too."""
    lock: Path
    """What servers need: pins with hashes."""
    announce: Announce
    stop: Stop

    def environment(self, requirements: Requirements, python: str | None = None) -> Environment:
        """The environment with these requirements: from the cache, or made now, which takes from seconds to minutes.

        Raises UsageError for requirements that do not resolve or that fight a server, MissingError for a Python, a
        compiler or room that is not there, Interrupted.
        """
        interpreter = find_python(python)
        with tempfile.TemporaryDirectory(prefix="wsgilab-requirements-") as name:
            gathered = gather(requirements, Path(name), name)
            kept = self.cache / "environments" / self._key(gathered.digest, interpreter)
            if not (kept / COMPLETE).exists():
                with turn_in(self.cache, self.stop, lambda: self.announce(WAITING)):
                    self._make_once(kept, requirements, gathered, interpreter)
        return Environment(kept)

    def _make_once(self, kept: Path, requirements: Requirements, gathered: Gathered, interpreter: Path) -> None:
        """Make it, unless another command has done that meanwhile. Nothing half made is left."""
        if (kept / COMPLETE).exists():
            return
        self._sweep(kept)
        try:
            self._make(kept, requirements, gathered, interpreter)
        except BaseException:
            shutil.rmtree(kept, ignore_errors=True)
            raise

    def _key(self, digest: str, interpreter: Path) -> str:
        version = processes.ask([interpreter, "-VV"]).out
        everything = "\0".join([str(interpreter.resolve()), version, digest, self.lock.read_text(encoding="utf-8")])
        return hashlib.sha256(everything.encode()).hexdigest()[:16]

    def _sweep(self, kept: Path) -> None:
        """Remove what an earlier try left half made. (Scripts name their own path: none can be moved into place.)"""
        try:
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir(parents=True)
        except OSError as error:
            raise _cannot_write(kept, error.strerror) from error

    def _make(self, kept: Path, requirements: Requirements, gathered: Gathered, interpreter: Path) -> None:
        self.announce("Installing the app's requirements and the servers into an environment of its own, once …")
        own = ["--requirement", str(gathered.file)] if requirements else []
        line = [sys.executable, str(self.installer), "--lock", str(self.lock), "--for", str(kept / "bin/python")]
        wheel = pip_wheel()
        line += ["--pip", str(wheel / "pip")] if wheel else []
        for offered in _offered():
            self._venv(kept, interpreter)
            done = processes.follow([*line, *own], self._told, self.stop, environment=_clean_environment() | offered)
            if self.stop.requested:
                raise Interrupted
            if done.ok:
                break
        else:
            done = replace(done, out=gathered.told(done.out), err=gathered.told(done.err))
            raise pip_words.no_room(done, self.cache) or pip_words.explained(done, requirements.arguments())
        (kept / COMPLETE).touch()

    def _told(self, line: str) -> None:
        """Pass on the lines that say what the installer is at."""
        if line.startswith(AT):
            line = line.partition(" (from ")[0]  # a file with all requirements in it, which is gone by then
            self.announce(f"  {line if len(line) < 90 else line[:89] + '…'}")

    def _venv(self, kept: Path, interpreter: Path) -> None:
        # The lab's own pip serves it: quicker than a pip for each, and Debian keeps ensurepip in a package of its own.
        line: list[str | Path] = [interpreter, "-m", "venv", "--clear", "--without-pip", str(kept)]
        made = processes.ask(line, environment=_clean_environment(), timeout_s=VENV_TIMEOUT_S)
        if not made.ok:
            raise pip_words.no_room(made, self.cache) or MissingError(
                f"{interpreter} cannot make a virtual environment: {made.last_line}.",
                "a Python without the module venv",
                "apt-get install python3-venv",
            )


def find_python(wanted: str | None) -> Path:
    """The interpreter of that version or name, or the lab's own. Raises MissingError for one that is missing or old."""
    if wanted is None:
        return _own_python()
    names = [f"python{wanted}"] if re.fullmatch(r"\d+(\.\d+)?", wanted) else [wanted]
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        there = [f"{major}.{minor}" for major, minor in sorted(_pythons_on_path()) if (major, minor) >= OLDEST_PYTHON]
        raise MissingError(
            f"There is no Python '{wanted}' here.",
            f"it is not installed, or not on PATH, which has {listed(there) or 'none that would do'}",
            f"./lab run --python {there[-1]}" if there else "apt-get install python3",
        )
    asked = processes.ask([found, "-c", "import sys; print(*sys.version_info[:2])"])
    version = tuple(map(int, asked.out.split())) if asked.ok and asked.out.strip() else (0, 0)
    if version < OLDEST_PYTHON:
        has, needed = (".".join(map(str, pair)) for pair in (version, OLDEST_PYTHON))
        raise MissingError(
            f"{found} is Python {has}, and the servers need {needed} or later.",
            "an old Python, or no Python at all; without --python the lab uses its own",
            f"./lab run --python {to_paste(_own_python())}",
        )
    return Path(found)


def _own_python() -> Path:
    """The interpreter that the lab's .venv was made from."""
    return Path(getattr(sys, "_base_executable", sys.executable))


def pip_wheel() -> Path | None:
    """The wheel that the lab was set up with, a pip that runs as it is; None where this Python has a pip. Raises
    MissingError where there is neither."""
    if processes.ask([sys.executable, "-m", "pip", "--version"]).ok:
        return None
    for place in PIP_WHEELS:
        for wheel in Path(sys.prefix).glob(place):
            return wheel
    raise MissingError("There is no pip here.", "it was removed from .venv", "rm -r .venv; ./lab run")


def _pythons_on_path() -> set[tuple[int, int]]:
    """The versions that there are."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    names = (path.name for folder in folders for path in Path(folder).glob("python3.*"))
    return {(3, int(name.removeprefix("python3."))) for name in names if re.fullmatch(r"python3\.\d+", name)}


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in MISLEADING}


def _offered() -> Iterator[dict[str, str]]:
    """Where pip looks, one after the other, as its variables: in what a bundle brought, and then wherever it does."""
    brought = Path(sys.prefix) / BROUGHT
    if brought.is_dir():
        yield {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": brought.as_uri()}  # a path with a space would be two
    yield {}


def _cannot_write(folder: Path, reason: str | None) -> MissingError:
    return MissingError(
        f"{folder} cannot be made: {reason}.",
        "the cache folder belongs to another user, or the disk is full; XDG_CACHE_HOME can name another one",
        f"{to_paste('ls', '-ld', folder.parent.parent)}; df -h",
    )
