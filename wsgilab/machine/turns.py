"""One run on a machine at a time: two would measure each other."""

from __future__ import annotations

import fcntl
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wsgilab.errors import MissingError
from wsgilab.machine.ports import describe_process
from wsgilab.machine.waiting import Stop, poll_until

LOCK = "wsgilab.lock"


@contextmanager
def turn_on_this_machine(lock: Path | None = None) -> Iterator[None]:
    """Hold the machine's lock while the block lasts. Raises MissingError where another run has it, of whichever user.

    `lock`: another file than the usual one in /tmp, for runs that share a machine and no CPU. Where no file can be
    opened, there is no turn to wait for: the lock in the folder of results still keeps two runs of one clone apart.
    """
    descriptor = _opened(lock) if lock else _first_that_opens()
    try:
        if descriptor is not None:
            _take(descriptor)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _first_that_opens() -> int | None:
    # /tmp first: TMPDIR may be each user's own (macOS), and no lock between two of them.
    for folder in dict.fromkeys(("/tmp", tempfile.gettempdir())):
        if (descriptor := _opened(Path(folder) / LOCK)) is not None:
            return descriptor
    return None


def _opened(path: Path) -> int | None:
    """The file, for a lock alone: it is never written, so another user's will do. None where there can be none."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError):
        # Not O_CREAT at once: in a sticky folder Linux refuses that for a file of another user (fs.protected_regular).
        return os.open(path, flags)
    with suppress(OSError):
        return os.open(path, flags | os.O_CREAT, 0o644)
    return None


def _take(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise MissingError(
            "Another run is under way on this machine.",
            f"{_holder(descriptor)}; two at once would measure each other, so wait, or stop it with Ctrl-C",
            "pgrep -fl wsgilab",
        ) from error


def _holder(descriptor: int) -> str:
    """Who holds a lock, in words, as far as the system tells."""
    # /proc/locks, see proc(5): `1: FLOCK  ADVISORY  WRITE 123 08:01:4567 0 EOF`, process 123 and inode 4567.
    inode = os.fstat(descriptor).st_ino
    with suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
            if found := re.search(rf"FLOCK .* (\d+) [0-9a-f]+:[0-9a-f]+:{inode} ", line):
                return f"{describe_process(int(found[1]))} has it"
    return "a ./lab run in another terminal, or of another user"


@contextmanager
def turn_in(folder: Path, stop: Stop, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a folder that several commands write to; `wait` is called once if another one has it.

    Raises Interrupted. Where there can be no lock, nobody waits: what is written next says why.
    """
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    descriptor = _opened(folder / LOCK)
    try:
        if descriptor is not None and not _is_free(descriptor):
            wait()
            poll_until(lambda: _is_free(descriptor), stop, math.inf)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    """Whether nobody else had the lock: it is ours then."""
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
