"""Copies an app's folder for one server, which may write there: copy_app.py SOURCE TARGET

Links are followed, so that what is written never gets into the original by one. Left out is what no app is served
from: git's and Python's own folders, virtual environments, sockets and pipes.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys

LEFT_OUT = {
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
}


def main(source: str, target: str) -> int:
    """Make the copy anew. 0, or 1 with a line that says why it could not be made."""
    shutil.rmtree(target, ignore_errors=True)
    reason = why_not(source, target)
    if reason is None:
        return 0
    # First: on a disk that is full there may be no room for the line.
    shutil.rmtree(target, ignore_errors=True)
    print(reason, file=sys.stderr)
    return 1


def why_not(source: str, target: str) -> str | None:
    """Copy. Why it could not be done; None where it was."""
    try:
        shutil.copytree(source, target, ignore=left_out, copy_function=copied)
        for folder, _, _ in os.walk(target):
            make_writable(folder)
    except shutil.Error as error:
        reasons = [why for *_, why in error.args[0]]
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        return f"{reasons[0]}{more}"
    except OSError as error:
        return str(error)
    return None


def left_out(folder: str, names: list[str]) -> set[str]:
    """Which entries of a folder are not copied."""
    return {name for name in names if name in LEFT_OUT or not is_wanted(os.path.join(folder, name))}


def is_wanted(path: str) -> bool:
    """Whether an app may be served from it."""
    if os.path.isdir(path):
        here, there = os.path.realpath(os.path.dirname(path)), os.path.realpath(path)
        leads_back = os.path.islink(path) and f"{here}/".startswith(f"{there}/")
        return not leads_back and not os.path.exists(os.path.join(path, "pyvenv.cfg"))
    return os.path.isfile(path)


def copied(source: str, target: str) -> str:
    """Copy one file, which can be written then."""
    shutil.copy2(source, target)
    make_writable(target)
    return target


def make_writable(path: str) -> None:
    """Let the owner write it."""
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | stat.S_IWUSR)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
