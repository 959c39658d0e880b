"""The table of one worker process: the numbers that the middleware counts in, and the exporter reads.

Each worker process owns one small file in the metrics directory (tmpfs): a fixed table of float64, mapped into
memory, so that an update is one store and the exporter, another process, reads it without asking the server.
The table is prometheus_client's multiprocess idea without its keys: the metrics are known beforehand, so a slot
has a number instead of a JSON name. That makes a request three to four times cheaper than prometheus_client's
own values, keeps its import out of the measured server's memory, and leaves an app that uses
prometheus_client itself exactly as it would be without the lab.

Layout, in float64 slots: 1 once the process has ended in order, sum of durations in seconds, the CPU time in seconds
that the process had used when its first request came, one slot per histogram bucket (not cumulative; the last is +Inf),
one slot per status code from 100 to 999, one slot per level: requests that began while so many, themselves included,
were inside the app, three slots per name that the load generator gave to requests: how many, seconds, CPU seconds of
their threads. Levels grow as a request begins, all the rest as it ends; the difference is in flight. The highest
level that grew between two readings is what the process did at once at most, however short that was, and however many
others read.
"""

from __future__ import annotations

import atexit
import contextlib
import mmap
import os
import sys
import time
from _thread import allocate_lock
from pathlib import Path

BUCKET_EDGES_S = (
    0.001, 0.002, 0.005, 0.010, 0.015, 0.020, 0.025, 0.030, 0.040, 0.050, 0.075, 0.100, 0.150, 0.200, 0.250,
    0.350, 0.500, 0.750, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of the histogram's buckets, in seconds: finest where answers are expected, one on the SLO of 250 ms."""

LEFT, DURATION_SUM, START_CPU, FIRST_BUCKET = 0, 1, 2, 3
FIRST_CODE = FIRST_BUCKET + len(BUCKET_EDGES_S) + 1
LOWEST_CODE, HIGHEST_CODE = 100, 999
FIRST_LEVEL = FIRST_CODE + HIGHEST_CODE - LOWEST_CODE + 1
EXACT_LEVELS, LEVELS = 64, 288
"""Below 64 a level is a number of requests; above, 32 levels share each doubling: none is wider than 3 %."""
FIRST_NAMED, NAMES, NAMED_FIGURES = FIRST_LEVEL + LEVELS, 100, 3
SLOTS = FIRST_NAMED + NAMES * NAMED_FIGURES
TABLE_BYTES = SLOTS * 8
SUFFIX = ".table"

_GREENLETS = ("gevent", "eventlet")
_MADV_WIPEONFORK = 18  # asm-generic/mman-common.h; Python has no name for it


def level_of(inside: int) -> int:
    """The level to which so many requests inside the app belong; the last one also takes all that is beyond it."""
    if inside < EXACT_LEVELS:
        return inside
    shift = inside.bit_length() - 6
    return min(32 * shift + (inside >> shift), LEVELS - 1)


def least_inside(level: int) -> int:
    """The smallest number of requests that belongs to a level."""
    if level < EXACT_LEVELS:
        return level
    shift = (level - 32) // 32
    return (level - 32 * shift) << shift


class Table:
    """The numbers of one worker process. Only that process writes them."""

    def __init__(self, directory: Path) -> None:
        self.mine = _fork_mark()
        """`mine[0]` is true in the process that made the table, and false in its forks."""
        # The time keeps a table apart from that of a dead process whose number was given out again.
        path = directory / f"{os.getpid()}-{time.time_ns()}{SUFFIX}"
        with open(path, "xb+") as file:
            file.write(bytes(TABLE_BYTES))  # zeros, not a hole: a full disk fails here and not as SIGBUS later
            file.flush()
            self.slots = memoryview(mmap.mmap(file.fileno(), TABLE_BYTES)).cast("d")
        # A forked worker's own: mostly the import of the app, or next to nothing where its parent has done that.
        self.slots[START_CPU] = time.process_time()
        # `slots[i] += 1` is a read and a write; threads of one worker share the table.
        self.lock = allocate_lock()
        self.inside = 0
        """Requests in flight."""
        self.one_a_thread = not any(name in sys.modules for name in _GREENLETS)
        """Whether a thread has one request at a time, whose CPU time is then its own. Greenlets share a thread."""
        # A process that is killed, or calls os._exit(), does not come that far.
        atexit.register(self._leave)

    def enter(self) -> None:
        """Count a request that begins."""
        self.inside = inside = self.inside + 1
        self.slots[FIRST_LEVEL + (inside if inside < EXACT_LEVELS else level_of(inside))] += 1.0

    def _leave(self) -> None:
        if self.mine[0]:
            self.slots[LEFT] = 1.0


class _PidMark:
    """Asks the kernel who we are each time."""

    def __init__(self) -> None:
        self.pid = os.getpid()

    def __getitem__(self, _: int) -> bool:
        return os.getpid() == self.pid


def _fork_mark() -> mmap.mmap | _PidMark:
    """A page that the kernel clears in a forked child: looking there is no system call.

    In the middle of a Flask request, os.getpid() took 4 µs of the 9 µs that the whole middleware did.
    """
    if sys.platform == "linux":
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(OSError):  # before Linux 4.14, and in some sandboxes
            page.madvise(_MADV_WIPEONFORK)
            page[0] = 1
            return page
    return _PidMark()
