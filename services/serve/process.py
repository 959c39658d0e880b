"""One process as Linux shows it under /proc, see proc(5).

Unless stated otherwise, a function raises FileNotFoundError or ProcessLookupError when there is no such process, and
PermissionError when it is another user's and the kernel keeps the answer to itself.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kernel_files import read

PROC = "/proc"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
KERNEL_LISTS_CHILDREN = os.path.exists(f"{PROC}/{os.getpid()}/task/{os.getpid()}/children")


@dataclass(frozen=True)
class Stat:
    """Fields of /proc/PID/stat, see proc_pid_stat(5)."""

    comm: str
    state: str
    parent: int
    reaped_cpu_s: float
    """CPU time of children that this process has waited for, and of theirs."""
    threads: int
    start_ticks: int
    """Since boot."""
    rss_bytes: int
    """Resident memory, each shared page in full."""


def cpu_s(pid: int) -> float:
    """CPU time of a process in seconds, its dead threads included, in nanosecond steps.

    The clock's number is what clock_getcpuclockid(3) computes on Linux (MAKE_PROCESS_CPUCLOCK with CPUCLOCK_SCHED in
    the kernel's include/linux/posix-timers_types.h). /proc/PID/stat has the same figure in steps of 10 ms.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError as error:  # EINVAL: there is no such process
        raise ProcessLookupError(pid) from error


def read_stat(pid: int) -> Stat:
    """The fields of /proc/PID/stat. Raises FileNotFoundError or ProcessLookupError when there is no such process."""
    text = read(f"{PROC}/{pid}/stat").decode(errors="replace")
    # The name is in parentheses and may contain some itself.
    comm = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(
        comm=comm,
        state=fields[0],
        parent=int(fields[1]),
        reaped_cpu_s=(int(fields[13]) + int(fields[14])) / _TICKS_PER_S,
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
    )


def is_alive(pid: int) -> bool:
    """Whether the process still runs; a zombie does not. Without /proc (macOS) a zombie does, too."""
    try:
        return read_stat(pid).state not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        if os.path.isdir(f"{PROC}/self"):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def threads(pid: int) -> list[str]:
    """The numbers of its threads."""
    return os.listdir(f"{PROC}/{pid}/task")


def children(pid: int, tids: Sequence[str]) -> list[int]:
    """Child processes, whichever thread of `pid` started them. Empty when `pid` has gone."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for tid in tids:
            found.extend(map(int, read(f"{PROC}/{pid}/task/{tid}/children").split()))
    return found


def children_by_scan() -> Callable[[int, Sequence[str]], list[int]]:
    """The same from every process's parent, for kernels without CONFIG_PROC_CHILDREN."""
    by_parent: dict[int, list[int]] = {}
    for pid, stat in _all_processes():
        by_parent.setdefault(stat.parent, []).append(pid)
    return lambda pid, _tids: by_parent.get(pid, [])


def oldest_named(comm: str) -> int | None:
    """The process of that name that started first, or None: nginx's master is the oldest nginx."""
    return min(((stat.start_ticks, pid) for pid, stat in _all_processes() if stat.comm == comm), default=(0, None))[1]


def _all_processes() -> Iterator[tuple[int, Stat]]:
    for name in os.listdir(PROC):
        if name.isdigit():
            try:
                yield int(name), read_stat(int(name))
            except (FileNotFoundError, ProcessLookupError):
                continue


def started_at(pid: int) -> float:
    """Epoch seconds at which a process started, to the hundredth."""
    since_boot_s = read_stat(pid).start_ticks / _TICKS_PER_S
    # /proc/stat has the time of boot as well, but in whole seconds.
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot_s


def pss_bytes(pid: int) -> int:
    """Resident memory, each shared page divided by the number of processes that share it."""
    for line in read(f"{PROC}/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0  # a zombie has no memory left


def open_fds(pid: int) -> int:
    """The number of open files, sockets among them."""
    # Since Linux 6.2 the folder's size is the number of open files; before that it is 0.
    return os.stat(f"{PROC}/{pid}/fd").st_size or len(os.listdir(f"{PROC}/{pid}/fd"))


def switches(pid: int, tid: str) -> tuple[int, int]:
    """Voluntary and involuntary context switches of one thread."""
    text = read(f"{PROC}/{pid}/task/{tid}/status")
    start = text.index(b"voluntary_ctxt_switches:")
    fields = text[start:].split()
    return int(fields[1]), int(fields[3])
