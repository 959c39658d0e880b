"""Why worker processes end: in gunicorn's own words where it is gunicorn, else by the status that the kernel keeps."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
from collections import Counter
from pathlib import Path

UNKNOWN = "unknown"

Identity = tuple[int, float]
"""A process's number, and something that tells it from others which have had the same."""

# linux/pidfd.h: PIDFD_GET_INFO is _IOWR(0xFF, 11, struct pidfd_info) with the structure's first 64 bytes: what is asked
# for and answered as a mask, then (with PIDFD_INFO_EXIT) the status as wait(2) tells it at the very end.
_PIDFD_GET_INFO, _PIDFD_INFO_EXIT = 0xC040FF0B, 1 << 3
_PIDFD_INFO = struct.Struct("=Q52xi")


class GunicornNotes:
    """The notes that services/gunicorn/gunicorn.conf.py makes: `set NAME NUMBER`, `PID REASON`, `PID ended REASON`.

    What is noted first is why a worker ended: a worker that was aborted for its timeout also exits with some code.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._reasons: dict[str, str] = {}
        self._ends: Counter[str] = Counter()
        self.settings: dict[str, float] = {}
        """What gunicorn goes by, wherever it was told so: `timeout` in seconds, `slots`."""

    def read(self) -> Counter[str] | None:
        """Workers that have ended since the server started, by why; None where no gunicorn writes. Raises OSError."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return None
        whole = text[: text.rfind(b"\n") + 1]  # the last line may be under way
        self._offset += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self._take(*line.partition(" ")[::2])
        return self._ends

    def _take(self, subject: str, said: str) -> None:
        if subject == "set":
            name, _, value = said.partition(" ")
            self.settings[name] = float(value)
        elif said.startswith("ended "):
            self._ends[self._reasons.pop(subject, said.removeprefix("ended "))] += 1
        else:
            self._reasons.setdefault(subject, said)


class ExitStatuses:
    """How processes end that are not our own children: Linux keeps it for every holder of a pidfd, since 6.15."""

    def __init__(self) -> None:
        self._pidfds: dict[Identity, int] = {}

    def watch(self, process: Identity) -> None:
        """Hold on to a living process; nothing happens where the system does not offer that."""
        with contextlib.suppress(AttributeError, OSError):  # not Linux; a sandbox; it has just ended
            self._pidfds[process] = os.pidfd_open(process[0])

    def look(self, process: Identity) -> str | None:
        """How it has ended: `exit 1`, `SIGKILL`, `unknown`; None while its parent has not noticed."""
        pidfd = self._pidfds.get(process)
        if pidfd is None:
            return UNKNOWN
        info = bytearray(_PIDFD_INFO.pack(_PIDFD_INFO_EXIT, 0))
        try:
            fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
        except OSError:  # Linux before 6.15
            return UNKNOWN
        answered, status = _PIDFD_INFO.unpack(info)
        return describe(status) if answered & _PIDFD_INFO_EXIT else None

    def let_go(self, process: Identity) -> None:
        """It is of no interest any more."""
        pidfd = self._pidfds.pop(process, None)
        if pidfd is not None:
            os.close(pidfd)


def describe(status: int) -> str:
    """The status that wait(2) gives, in words: `exit 1` or the signal's name."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
