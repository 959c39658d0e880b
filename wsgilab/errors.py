"""One class per kind of failure: its exit code, what happened, the likely cause, the next command."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable

EXIT_DONE = 0
EXIT_FAULT = 1
EXIT_USAGE = 2
EXIT_MISSING = 3
EXIT_SERVER = 4
EXIT_NO_VALID_WINDOW = 5
EXIT_NOT_PASSED = 6
EXIT_INTERRUPTED = 130


class LabError(Exception):
    """A failure that is explained to the user in three parts instead of a traceback."""

    exit_code = EXIT_FAULT

    def __init__(self, what: str, cause: str, next_command: str) -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.next_command = next_command

    def __str__(self) -> str:
        return f"{self.what}\n  Likely cause: {self.cause}\n  Next: {self.next_command}"


class UsageError(LabError):
    """The command line or an input file cannot be used as it stands."""

    exit_code = EXIT_USAGE


class MissingError(LabError):
    """Something this machine should provide is not there: an engine, a tool, a free port, room on disk."""

    exit_code = EXIT_MISSING


class ServerError(LabError):
    """A server under test did not start, or died."""

    exit_code = EXIT_SERVER

    def __init__(self, what: str, cause: str, next_command: str, server: str = "") -> None:
        """`server`: the name of the one that did not start, where the others could go on without it."""
        super().__init__(what, cause, next_command)
        self.server = server


class NoValidWindow(LabError):
    """All was measured, and none of it can be trusted."""

    exit_code = EXIT_NO_VALID_WINDOW

    def __init__(self, unit: str = "window") -> None:
        super().__init__(
            f"No {unit} was valid; the report names the reason for each.",
            "other programs kept the machine busy, k6 could not send so much (a lower --rate helps), or nothing was "
            "measured",
            "./lab doctor",
        )


class TooNoisy(LabError):
    """A gate could neither pass nor fail."""

    exit_code = EXIT_NO_VALID_WINDOW

    def __init__(self, summary: str, next_command: str) -> None:
        cause = "other programs kept the machine busy, or the windows were too few to see so small a difference"
        super().__init__(summary, cause, next_command)


class Interrupted(Exception):
    """SIGINT or SIGTERM arrived; what was measured is kept."""


class Verbatim(str):
    """What to do next where `./lab run` means that very command, and not whichever is under way (commands/typed.py)."""

    __slots__ = ()


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that was likely meant; None where none is near."""
    return next(iter(difflib.get_close_matches(name.lower(), known, n=1, cutoff=cutoff)), None)


def did_you_mean(name: str, known: Iterable[str], otherwise: str, cutoff: float = 0.6) -> str:
    """The likely cause of a name that nobody has: the nearest one, or `otherwise` where none is near."""
    meant = nearest(name, known, cutoff)
    return f"did you mean '{meant}'?" if meant else otherwise


def to_paste(*words: object) -> str:
    """A command as one line: a shell takes it apart into these words again, spaces and quotes in a path included."""
    return shlex.join(map(str, words))


def to_edit(path: object, line: int | None = None) -> str:
    """The command that opens a file, at this line, in the editor of whoever pastes it."""
    at = f"+{line} " if line else ""
    return f"${{EDITOR:-vi}} {at}{to_paste(path)}"
