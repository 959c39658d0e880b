"""Installs what an app requires, and then the servers next to it: in an image, and in an environment of this machine.

    install.py --lock locks/server.txt [--for PYTHON] [--requirement FILE]… [REQUIREMENT]…

The app's pins win. The servers come as the lock file has them, with hashes, but for what the app has itself; where
that does not fit together, pip may choose other versions of theirs with the app's fixed. Standard output has pip's own
lines, and some that begin with "install:". Exit codes: 0, 10 where the app's requirements cannot be installed, 11 where
they and the servers exclude each other (why, in lines "install: fight: …"), 12 where the servers cannot be.

Standard library only: it runs under the Python of an image, or of the lab.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

PIP_OPTIONS = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
APP_FAILED, EXCLUDE_EACH_OTHER, SERVERS_FAILED = 10, 11, 12


def main(arguments: Sequence[str]) -> int:
    """Install, and give the exit code."""
    options = _options(arguments)
    pip = [sys.executable, *(["-m", "pip"] if options.pip is None else [options.pip])]
    pip += ["--python", options.python] if options.python else []
    lock = Path(options.lock).read_text(encoding="utf-8")
    wanted = [*options.requirements, *(word for file in options.files for word in ("--requirement", file))]
    if wanted:
        _say("the app's requirements")
        if _run([*pip, "install", *PIP_OPTIONS, *wanted]):
            return APP_FAILED
    own = installed(pip)
    known = set(complaints(pip))
    _say("the servers")
    with tempfile.TemporaryDirectory() as folder:
        rest = Path(folder) / "servers.txt"
        rest.write_text("\n".join(without(lock, own)), encoding="utf-8")
        if _run([*pip, "install", *PIP_OPTIONS, "--no-deps", "--require-hashes", "--requirement", str(rest)]):
            return SERVERS_FAILED
        fights = [line for line in complaints(pip) if line not in known]
        if not fights or _give_way(pip, lock, own, Path(folder)):
            return 0
        for line in fights:
            _say(f"fight: {line}")
        return EXCLUDE_EACH_OTHER


def installed(pip: Sequence[str]) -> dict[str, str]:
    """Version by name, as PEP 503 writes names, of all that is there."""
    pins = (PINNED.match(line) for line in _ask([*pip, "freeze", "--all"]))
    return {canonical(pin["name"]): pin["version"] for pin in pins if pin}


def complaints(pip: Sequence[str]) -> list[str]:
    """What does not fit together: `gevent 26.9.0 has requirement greenlet>=3.2.2, but you have greenlet 2.0.2.`"""
    return [line for line in _ask([*pip, "check"]) if " has requirement " in line or " requires " in line]


def canonical(name: str) -> str:
    """The name of a distribution as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def without(lock: str, names: Iterable[str]) -> list[str]:
    """The lines of a lock file, but for those of these distributions (with their hashes)."""
    left_out = set(names)
    kept: list[str] = []
    keeping = True
    for line in lock.splitlines():
        pin = PINNED.match(line)
        if pin or not line.startswith((" ", "\t")):
            keeping = not pin or canonical(pin["name"]) not in left_out
        if keeping:
            kept.append(line)
    return kept


def _give_way(pip: Sequence[str], lock: str, own: dict[str, str], folder: Path) -> bool:
    """Let pip choose other versions of the servers, with the app's fixed; whether that works out."""
    _say("the app's pins leave no room for the usual versions of the servers: looking for others")
    before = set(complaints(pip))
    pins = folder / "app.txt"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in own.items()), encoding="utf-8")
    names = [canonical(pin["name"]) for line in lock.splitlines() if (pin := PINNED.match(line))]
    others = [name for name in names if name not in own]
    if _run([*pip, "install", *PIP_OPTIONS, "--upgrade", "--constraint", str(pins), *others]):
        return False
    return not before & set(complaints(pip))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Install an app's requirements and the servers.")
    parser.add_argument("--lock", required=True)
    parser.add_argument("--for", dest="python", metavar="PYTHON", help="the interpreter to install for")
    parser.add_argument("--pip", metavar="PATH", help="pip itself, where this Python has none")
    parser.add_argument("--requirement", dest="files", action="append", default=[], metavar="FILE")
    parser.add_argument("requirements", nargs="*", metavar="REQUIREMENT")
    return parser.parse_args(arguments)


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode


def _ask(command: Sequence[str]) -> list[str]:
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return said.stdout.splitlines()


def _say(text: str) -> None:
    print(f"install: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
