"""What is running, by its own account: the command as the kernel knows it, and the libraries it may use."""

from __future__ import annotations

import platform
from importlib import metadata

from process import PROC

PACKAGES = ("flask", "werkzeug", "gunicorn", "gevent", "pyuwsgi", "waitress", "granian")


def command_of(pid: int) -> str:
    """The command line of a process. Raises OSError where it cannot be read."""
    with open(f"{PROC}/{pid}/cmdline", "rb") as file:
        return file.read().replace(b"\0", b" ").decode(errors="replace").strip()


def cpus_of(pid: int) -> str:
    """The CPUs that a process may use, as the kernel writes them: `0-3,6`. Raises OSError where it cannot be read."""
    with open(f"{PROC}/{pid}/status", encoding="utf-8", errors="replace") as file:
        allowed = next((line for line in file if line.startswith("Cpus_allowed_list:")), "")
    return allowed.partition(":")[2].strip()


def versions() -> dict[str, str]:
    """Versions of Python and of every server library that is installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
