"""Tunings of several servers that belong together: the folder with their common page says where each of them is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsgilab.errors import LabError, UsageError, to_paste
from wsgilab.results.folder import WINDOWS
from wsgilab.results.result import Result

FILE = "tunings.json"
SCHEMA = 1
PLACE = re.compile(r"(\.\./)?[A-Za-z0-9][\w.-]{0,120}", re.ASCII)
"""A folder in the common one, or next to it: nobody's file leads anywhere else."""


@dataclass(frozen=True)
class Together:
    """Several tunings, and what they come to side by side."""

    results: tuple[Result, ...]
    sentences: tuple[str, ...]
    """The best first; none where there are fewer than two to compare."""
    folder: Path
    trouble: LabError | None = None
    """Why the common page could not be written."""


def holds_tunings(folder: Path) -> bool:
    """Whether this is the common folder of several tunings."""
    return (folder / FILE).is_file()


def require_room(folder: Path) -> None:
    """Raise UsageError where a folder that is to hold the common page holds a run: its report would be lost."""
    if (folder / WINDOWS).exists():
        what, cause = f"{folder} already holds a run.", "--out names the folder of an earlier run"
        raise UsageError(what, cause, to_paste("./lab", "report", folder))


def place_of(run: Path, folder: Path) -> str:
    """Where a run is, as seen from the common folder. Raises UsageError where that is neither inside nor next to it."""
    place = Path(os.path.relpath(run.resolve(), folder.resolve())).as_posix()
    if PLACE.fullmatch(place):
        return place
    cause = "only folders inside of it, or next to it, move along when it is moved"
    raise UsageError(f"{run} is neither in {folder} nor next to it.", cause, to_paste("ls", folder))


def runs_of(folder: Path) -> list[Path]:
    """The folders of the tunings that belong to this one. Raises UsageError where it does not say which."""
    try:
        places: Sequence[str] = json.loads((folder / FILE).read_bytes())["runs"]
        if not places or not all(PLACE.fullmatch(place) for place in places):
            raise ValueError(places)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"{folder / FILE} does not say which tunings belong together."
        raise UsageError(what, "it is damaged, or cannot be read", to_paste("ls", "-l", folder)) from error
    return [Path(os.path.normpath(folder / place)) for place in places]
