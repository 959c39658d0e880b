"""What pip says when it cannot install something, in three parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from wsgilab.errors import LabError, MissingError, UsageError, to_paste
from wsgilab.machine.processes import Outcome

FIGHT = "install: fight: "
NEEDS_COMPILER = re.compile(
    r"(?:command|unable to execute) '?[\w./-]*(gcc|cc|g\+\+|clang|cargo|rustc)'?|Microsoft Visual C\+\+"
)
BUILDING = re.compile(r"Failed (?:building wheel for|to build) '?([\w.-]+)")
CONFLICT = re.compile(r"^\s{4}(.+ depends on .+|The user requested .+)$", re.MULTILINE)


def explained(done: Outcome, requirements: Sequence[str]) -> LabError:
    """The error for services/install.py that failed with these requirements (arguments of `pip install`)."""
    output = done.out + done.err
    if fights := [line.removeprefix(FIGHT) for line in done.out.splitlines() if line.startswith(FIGHT)]:
        return _conflict(fights)
    building = BUILDING.search(output)
    if building and NEEDS_COMPILER.search(output):
        return MissingError(
            f"{building[1]} has no ready-made wheel for this Python, and cannot be compiled here.",
            "a compiler or a header is missing; another --python may have a wheel",
            "apt-get install build-essential python3-dev",
        )
    if "[end of output]" in output:
        return _cannot_be_built(building[1] if building else _last_taken(done), output)
    reasons = [match[1] for match in CONFLICT.finditer(output)]
    what = "; ".join(reasons[:4]) if reasons else _error_line(done)
    named = ", ".join(word for word in requirements if word != "--requirement") or "The lab's own servers"
    return UsageError(
        f"{named} cannot be installed: {what}.",
        "requirements that conflict with each other, a name or version that does not exist, or no network",
        to_paste("python3", "-m", "pip", "download", "--dest", "/tmp/try", *requirements),
    )


def _conflict(fights: Sequence[str]) -> LabError:
    return UsageError(
        f"The app's requirements conflict with those of the servers: {'; '.join(fights[:4])}.",
        "the app pins a library that a server needs in another version; loosen that pin, or try another Python",
        "./lab run --python 3.12",
    )


def _error_line(done: Outcome) -> str:
    """The line that names the reason: the last of pip's own errors (the first may be those of a build)."""
    lines = [line.strip() for line in (done.err + done.out).splitlines()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors[-1] if errors else done.last_line).rstrip(".")


def _cannot_be_built(name: str, output: str) -> LabError:
    *_, last = output.partition("[end of output]")[0].strip().splitlines()
    return UsageError(
        f"{name} has no ready-made wheel for this Python, and its source cannot be built: {last.strip()}.",
        "the package is older than this Python, or its source needs more than is installed here; "
        "a newer version of it, or another --python, may have a wheel",
        to_paste("python3", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "/tmp/try", name),
    )


def _last_taken(done: Outcome) -> str:
    """The requirement that pip was at: a name, or a folder or file."""
    taken = [line.split()[1] for line in done.out.splitlines() if line.startswith(("Collecting ", "Processing "))]
    return taken[-1] if taken else "."


def no_room(done: Outcome, folder: Path) -> MissingError | None:
    """The error for a program that failed because the disk of this folder is full; None where it did not."""
    if "No space left on device" not in done.out + done.err:
        return None
    return MissingError(
        "There is no room to install the app's requirements.",
        "the disk of the cache folder is full; XDG_CACHE_HOME can name another one",
        to_paste("df", "-h", folder),
    )
