"""Processes that outlive what started them: told by their mark, or by whose children they become; and their end.

A server's app may start what leaves its process group (a daemon); it is still marked, for a child inherits the
environment. What has wiped that out too becomes a child of the runner, where the runner has asked the kernel for it
(PR_SET_CHILD_SUBREAPER, Linux). Without /proc (macOS) only process groups are known.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wsgilab.machine import places, processes

PROC = Path("/proc")
PATIENCE_S = 3.0
POLL_S = 0.02
PR_SET_CHILD_SUBREAPER = 36
NGINX_TITLE = "nginx: master process "
log = logging.getLogger(__name__)
_adopting = threading.Event()


@dataclass(frozen=True)
class Leftover:
    """A process that should have ended with another."""

    pid: int
    command: str


def marked(variables: Mapping[str, str]) -> list[Leftover]:
    """The processes of this user, but for this one, that were started with these variables."""
    return [Leftover(pid, _command(pid)) for pid in _own_processes() if _has(pid, variables)]


def end_marked(variables: Mapping[str, str]) -> list[Leftover]:
    """End them, politely, then for good; gives what there was."""
    return _end(lambda: marked(variables), lambda pid: _has(pid, variables))


def adopt() -> None:
    """From now on orphaned descendants of this process become its children instead of init's (prctl(2)).

    For the command line alone: a script that uses the lab has processes of its own, which are not ours to end.
    """
    with suppress(OSError, AttributeError):
        if PROC.is_dir() and ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0:
            _adopting.set()


def children() -> frozenset[int]:
    """The children of this process, the adopted among them."""
    return frozenset(_children())


def end_orphans(before: Set[int]) -> list[Leftover]:
    """End what was adopted since `before` (see `children`), which is what is left of servers; gives what there was."""
    return _end(lambda: _orphans(before), lambda pid: pid in children()) if _adopting.is_set() else []


def _orphans(before: Set[int]) -> list[Leftover]:
    strangers = children() - before - processes.running()
    for pid in strangers:
        with suppress(ChildProcessError):  # a dead one waits for its parent's attention, and that is us now
            os.waitpid(pid, os.WNOHANG)
    return [Leftover(pid, _command(pid)) for pid in strangers if not _is_dead(pid)]


def clear() -> list[str]:
    """End and remove what belongs to runs of this user whose owner is gone, and nothing else. A sentence for each."""
    sentences = []
    for place in places.abandoned():
        ended = end_marked(place.environment)
        sentences.append(f"{place.path}{_and(ended)}")
        place.remove()
    return sentences


def clear_before_a_run(tell: Callable[[str], None]) -> None:
    """As `clear`; whoever looks on is told what it was."""
    for left in clear():
        tell(f"A run that was killed had left this behind, which is ended and removed: {left}")


def found() -> list[str]:
    """What `clear` would end and remove, a sentence for each."""
    sentences = []
    for place in places.abandoned():
        sentences.append(f"{place.path}{_and(marked(place.environment))}")
        place.lock.close()
    return sentences


def listed(leftovers: Sequence[Leftover]) -> str:
    """Processes in words: how many, and what they are, each once."""
    commands = list(dict.fromkeys(leftover.command[:80] for leftover in leftovers))
    count = f"{len(leftovers)} process{'es' if len(leftovers) != 1 else ''}"
    return f"{count} ({'; '.join(commands[:3])}{'; …' if len(commands) > 3 else ''})"


def _and(leftovers: Sequence[Leftover]) -> str:
    return f", {listed(leftovers)}" if leftovers else ""


def _end(remaining: Callable[[], list[Leftover]], is_one: Callable[[int], bool]) -> list[Leftover]:
    seen: dict[int, Leftover] = {}
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + PATIENCE_S
        asked: set[int] = set()
        while (left := remaining()) and time.monotonic() < deadline:
            for leftover in left:
                seen.setdefault(leftover.pid, leftover)
                if leftover.pid not in asked:
                    asked.add(leftover.pid)
                    _send(leftover.pid, number, is_one)
            time.sleep(POLL_S)
    return list(seen.values())


def _send(pid: int, number: signal.Signals, is_one: Callable[[int], bool]) -> None:
    """Send a signal to a process that still is one of those meant: its id may be another's by now."""
    log.debug("process %d gets %s: %s", pid, number.name, _command(pid))
    with suppress(OSError):
        if not hasattr(os, "pidfd_open"):
            os.kill(pid, number)
            return
        descriptor = os.pidfd_open(pid)  # from here on the id is this process's, so asking again decides
        try:
            if is_one(pid):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def _own_processes() -> Iterator[int]:
    for path in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if int(path.name) != os.getpid() and path.stat().st_uid == os.geteuid():
                yield int(path.name)


def _has(pid: int, variables: Mapping[str, str]) -> bool:
    with suppress(OSError):
        environment = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        if all(f"{name}={value}".encode() in environment for name, value in variables.items()):
            return True
    # nginx writes its title over its environment; its title says which folder it was started with.
    return variables.keys() == {places.MARK} and _is_nginx_of(pid, variables[places.MARK])


def _is_nginx_of(pid: int, run_id: str) -> bool:
    command = _command(pid)
    return command.startswith(NGINX_TITLE) and f"/{places.PREFIX}{run_id}/" in command


def _command(pid: int) -> str:
    with suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def _children() -> Iterator[int]:
    for path in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text(errors="replace").rpartition(")")[2].split()[1]) == os.getpid():
                yield int(path.parent.name)


def _is_dead(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
