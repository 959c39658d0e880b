"""Private folders of runs that are under way, and how to tell one that a killed run left behind.

Each has an id that nobody can guess and a file `owner` that its owner keeps locked, and everything that is started for
it carries the id in LAB_RUN_ID. A lock goes with the process that holds it, however that ends; so a folder whose lock
can be taken has no owner any more.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

MARK = "LAB_RUN_ID"
"""The variable that every process started for a place has in its environment."""
MEMORY = Path("/dev/shm")
ROOM_BYTES = 16_000_000
"""What a run may need in memory, by far: 12 KB for each process that serves requests, and some sockets."""
PREFIX = "wsgilab-"
NAME = re.compile(rf"{PREFIX}[0-9a-f]{{16}}")
OWNER = "owner"


@dataclass(frozen=True)
class Place:
    """A folder that is ours as long as this process lives, or until it is removed."""

    path: Path
    lock: IO[str]

    @property
    def id(self) -> str:
        """What LAB_RUN_ID says in the processes that belong to it."""
        return self.path.name.removeprefix(PREFIX)

    @property
    def environment(self) -> dict[str, str]:
        """What marks a process as belonging to it."""
        return {MARK: self.id}

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the folder, with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.lock.close()


def make(in_memory: bool = False, id: str | None = None) -> Place:
    """A new place, in memory where there is a file system for that; `id` for a second one of the same run."""
    base = MEMORY if in_memory and _has_room() else Path(tempfile.gettempdir())
    path = base / f"{PREFIX}{id or secrets.token_hex(8)}"
    path.mkdir(mode=0o700)
    # Locked before it has its name: nobody ever finds it unlocked while we live.
    lock = (path / f".{OWNER}").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    (path / f".{OWNER}").rename(path / OWNER)
    return Place(path, lock)


def _has_room() -> bool:
    """Whether files can be kept in memory: a server whose metrics find no room there is bad for a reason of ours."""
    return os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES


def abandoned() -> list[Place]:
    """Every place of this user whose owner is gone. They are ours now, and locked: remove them, or give them back."""
    return [place for path in _candidates() if (place := _taken_over(path))]


def _candidates() -> Iterator[Path]:
    for base in dict.fromkeys((MEMORY, Path(tempfile.gettempdir()))):
        with suppress(OSError):
            for path in base.iterdir():
                # Somebody else's is not touched, whatever its name, and a link leads nowhere.
                if NAME.fullmatch(path.name) and not path.is_symlink() and path.stat().st_uid == os.geteuid():
                    yield path


def _taken_over(path: Path) -> Place | None:
    with suppress(OSError):
        lock = os.fdopen(os.open(path / OWNER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return None
        return Place(path, lock)
    return None
