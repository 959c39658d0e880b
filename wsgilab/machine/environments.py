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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsgilab.errors import Interrupted, LabError, MissingError, UsageError
from wsgilab.machine import pip_words, processes
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop

OLDEST_PYTHON = (3, 9)
"""What the servers of the lock can be installed for."""
COMPLETE = "complete"
"""The file that is written last: without it an environment was left half made."""
MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PYTHONPATH", "PYTHONHOME")
PIP = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")
LONGEST_S = 1_800.0
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Requirements:
    """What an app needs installed: lines as pip takes them, and files of such lines."""

    lines: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def text(self) -> str:
        """All that decides what gets installed. Raises UsageError for a file that cannot be read."""
        return "\n".join([*self.lines, *(_read(file) for file in self.files)])

    def arguments(self) -> list[str]:
        """The same as arguments for `pip install`."""
        return [*self.lines, *(word for file in self.files for word in ("--requirement", str(file)))]


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
    """Where environments are made and kept, and what the lab puts into each: `lock`, a file of pins with hashes."""

    cache: Path
    lock: Path
    announce: Announce
    stop: Stop

    def environment(self, requirements: Requirements, python: str | None = None) -> Environment:
        """The environment with these requirements: from the cache, or made now, which takes from seconds to minutes.

        Raises UsageError for requirements that do not resolve or that fight a server, MissingError for a Python, a
        compiler or room that is not there, Interrupted.
        """
        interpreter = find_python(python)
        kept = self.cache / "environments" / self._key(requirements, interpreter)
        if (kept / COMPLETE).exists():
            return Environment(kept)
        self._sweep(kept)
        try:
            self._make(kept, requirements, interpreter)
        except BaseException:
            shutil.rmtree(kept, ignore_errors=True)
            raise
        return Environment(kept)

    def _key(self, requirements: Requirements, interpreter: Path) -> str:
        version = processes.ask([interpreter, "-VV"]).out
        everything = "\0".join([str(interpreter.resolve()), version, requirements.text(), _read(self.lock)])
        return hashlib.sha256(everything.encode()).hexdigest()[:16]

    def _sweep(self, kept: Path) -> None:
        """Remove what an earlier try left half made. (Scripts name their own path: none can be moved into place.)"""
        try:
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir(parents=True)
        except OSError as error:
            raise _cannot_write(kept, error.strerror) from error

    def _make(self, kept: Path, requirements: Requirements, interpreter: Path) -> None:
        self.announce("Installing the app's requirements into an environment of its own, once …")
        pip = self._venv(kept, interpreter)
        own = requirements.arguments()
        if own:
            self._run(
                [*pip, "install", *PIP, *own], lambda done: pip_words.cannot_install(done, requirements.arguments())
            )
        installed = dict(self._installed(pip))
        before = set(self._complaints(pip))
        self.announce("Installing the servers next to it …")
        lock = kept / "servers.txt"
        lock.write_text("\n".join(without(_read(self.lock), installed)), encoding="utf-8")
        exact = ["install", *PIP, "--no-deps", "--require-hashes", "--requirement", str(lock)]
        self._run([*pip, *exact], lambda done: pip_words.cannot_install(done, requirements.arguments()))
        fights = [line for line in self._complaints(pip) if line not in before]
        if fights:
            self._give_way(pip, kept, installed, fights)
        (kept / COMPLETE).touch()

    def _give_way(self, pip: Sequence[str], kept: Path, installed: dict[str, str], fights: Sequence[str]) -> None:
        """Let pip choose other versions of the servers, with the app's pins fixed."""
        self.announce(f"The app's pins leave no room for the usual versions ({fights[0]}): looking for others …")
        pins = kept / "app.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in installed.items()), encoding="utf-8")
        names = [name for name in locked(_read(self.lock)) if name not in installed]
        self._run(
            [*pip, "install", *PIP, "--upgrade", "--constraint", str(pins), *names],
            lambda done: pip_words.conflict(fights, done),
        )
        left = self._complaints(pip)
        if any(line in left for line in fights):
            raise pip_words.conflict(fights)

    def _venv(self, kept: Path, interpreter: Path) -> list[str]:
        """Make a virtual environment, and give the command that is pip for it."""
        # The lab's own pip serves it: quicker than a pip for each, and Debian keeps ensurepip in a package of its own.
        made = self._ask([interpreter, "-m", "venv", "--clear", "--without-pip", str(kept)])
        if not made.ok:
            raise MissingError(
                f"{interpreter} cannot make a virtual environment: {made.last_line}.",
                "a Python without the module venv",
                "apt-get install python3-venv",
            )
        return [*_own_pip(), "--python", str(kept / "bin/python")]

    def _installed(self, pip: Sequence[str]) -> Iterator[tuple[str, str]]:
        """(name as PEP 503 writes it, version) of all that is there."""
        for line in self._ask([*pip, "freeze", "--all"]).out.splitlines():
            if pin := PINNED.match(line):
                yield canonical(pin["name"]), pin["version"]

    def _complaints(self, pip: Sequence[str]) -> list[str]:
        return [
            line
            for line in self._ask([*pip, "check"]).out.splitlines()
            if " has requirement " in line or " requires " in line
        ]

    def _ask(self, command: Sequence[str | Path]) -> Outcome:
        self.stop.check()
        return processes.ask(command, environment=_clean_environment(), timeout_s=LONGEST_S)

    def _run(self, command: Sequence[str], explain: Callable[[Outcome], LabError]) -> None:
        """Run pip, telling what it is at; what went wrong is what `explain` makes of it."""
        done = processes.follow(command, self.announce_package, self.stop, environment=_clean_environment())
        if self.stop.requested:
            raise Interrupted
        if not done.ok:
            raise explain(done)

    def announce_package(self, line: str) -> None:
        """Pass on the lines of pip that say what it is at."""
        if line.startswith(("Collecting ", "Processing ", "Building wheel", "Installing collected")):
            self.announce(f"  {line if len(line) < 90 else line[:89] + '…'}")


def find_python(wanted: str | None) -> Path:
    """The interpreter of that version or name, or the lab's own. Raises MissingError for one that is missing or old."""
    if wanted is None:
        return Path(getattr(sys, "_base_executable", sys.executable))
    names = [f"python{wanted}"] if re.fullmatch(r"\d+(\.\d+)?", wanted) else [wanted]
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        there = sorted({path.name for path in _pythons_on_path()})
        raise MissingError(
            f"There is no Python '{wanted}' here.",
            f"it is not installed, or not on PATH; there {'are' if len(there) > 1 else 'is'} {', '.join(there)}",
            f"./lab run --python {there[-1].removeprefix('python')}" if there else "install it",
        )
    said = processes.ask([found, "-c", "import sys; print(*sys.version_info[:2])"])
    version = tuple(map(int, said.out.split())) if said.ok and said.out.strip() else (0, 0)
    if version < OLDEST_PYTHON:
        has, needed = (".".join(map(str, pair)) for pair in (version, OLDEST_PYTHON))
        raise MissingError(
            f"{found} is Python {has}, and the servers need {needed} or later.",
            "an old Python, or no Python at all",
            "./lab run without --python uses the lab's own",
        )
    return Path(found)


def canonical(name: str) -> str:
    """The name of a distribution as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: str) -> list[str]:
    """The distributions that a lock file pins, each with its version left open."""
    return [canonical(pin["name"]) for line in lock.splitlines() if (pin := PINNED.match(line))]


def without(lock: str, names: Iterable[str]) -> list[str]:
    """The lines of a lock file, but for those of these distributions (with their hashes)."""
    left_out = set(names)
    kept: list[str] = []
    keeping = True
    for line in lock.splitlines():
        if pin := PINNED.match(line):
            keeping = canonical(pin["name"]) not in left_out
        elif not line.startswith((" ", "\t")):
            keeping = True
        if keeping:
            kept.append(line)
    return kept


def _own_pip() -> list[str]:
    if processes.ask([sys.executable, "-m", "pip", "--version"]).ok:
        return [sys.executable, "-m", "pip"]
    for base in (Path(sys.prefix) / "pip", Path(sys.prefix)):
        for wheel in base.glob("usr/share/python-wheels/pip-*.whl"):
            return [sys.executable, str(wheel / "pip")]
    system = str(getattr(sys, "_base_executable", sys.executable))
    if processes.ask([system, "-m", "pip", "--version"]).ok:
        return [system, "-m", "pip"]
    raise MissingError(
        "There is no pip here.", "Debian keeps it in a package of its own", "apt-get install python3-venv"
    )


def _pythons_on_path() -> Iterator[Path]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        yield from (path for path in Path(folder).glob("python3.*") if re.fullmatch(r"python3\.\d+", path.name))


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in MISLEADING}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}.", "a typo, or not a file of requirements", f"ls -l {file}"
        ) from error


def _cannot_write(folder: Path, reason: str | None) -> MissingError:
    return MissingError(
        f"{folder} cannot be made: {reason}.",
        "the cache folder belongs to somebody else, or the disk is full",
        f"XDG_CACHE_HOME=/another/folder ./lab run; ls -ld {folder.parent.parent}",
    )
