"""The one helper that runs other programs: asks one, follows one, starts one that stays, ends it.

Each command is written to the log of this module; `--debug` shows it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from wsgilab.errors import to_paste
from wsgilab.machine.cpus import pinned
from wsgilab.machine.waiting import Stop

Process = subprocess.Popen[bytes]
"""A program that was started and stays, with a process group of its own."""
TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
TIMED_OUT, NOT_STARTED = 124, 127
"""Exit codes of commands that have none of their own, as the shell's `timeout` and the shell itself give them."""
Heard = Callable[[str, bool], str | None]
"""Hears a line of a program, and whether it came on standard error."""
log = logging.getLogger(__name__)
_started: list[Process] = []


class CommandFailed(Exception):
    """A command that had to work did not; its text says why."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str = ""
    err: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.code == 0

    def required(self) -> Outcome:
        """This outcome. Raises CommandFailed, with the last line it printed, unless it is a good one."""
        if not self.ok:
            raise CommandFailed(self.last_line)
        return self

    def json(self) -> dict[str, Any]:
        """The object that it printed; empty where it printed none."""
        try:
            found = json.loads(self.out)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def last_line(self) -> str:
        """The last line it printed on standard error (or output): most programs say there what went wrong."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else f"it ended with exit code {self.code} and wrote nothing"


def ask(
    command: Sequence[str | Path],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Outcome:
    """Run a command to its end and give what it printed. One that cannot be started or takes too long gives one too."""
    line, started = written(command), time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
        outcome = Outcome(done.returncode, done.stdout, done.stderr)
    except subprocess.TimeoutExpired:
        outcome = Outcome(TIMED_OUT, err=f"no answer within {timeout_s:g} s")
    except (OSError, ValueError) as error:
        outcome = Outcome(NOT_STARTED, err=str(error))
    log.debug("%s: exit code %d after %.1f s", line, outcome.code, time.monotonic() - started)
    return outcome


def attend(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Run a command with this terminal as its own, and give its exit code.

    Ctrl-C reaches it as well, and it may still have something to save: it is waited for.
    """
    log.debug("%s", written(command))
    try:
        process = subprocess.Popen(command, cwd=folder, env=environment)
    except OSError:
        return NOT_STARTED
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def ask_and_end(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], timeout_s: float
) -> Outcome:
    """As `ask`, for a program that may leave others behind: nobody waits for them, and they end with it.

    What it printed is all in `out`.
    """
    with tempfile.TemporaryDirectory(prefix="wsgilab-") as name:
        output = Path(name) / "output"
        process = start(command, output, folder, environment)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = TIMED_OUT
        finally:
            end([process])
        trouble = f"no answer within {timeout_s:g} s" if code == TIMED_OUT else ""
        return Outcome(code, output.read_text(encoding="utf-8", errors="replace"), trouble)


@dataclass(frozen=True)
class Conversation:
    """How to listen to a command."""

    heard: Heard
    """Hears each line. What it gives back is told to the command as a line, where `answers`."""
    ask_to_end: Callable[[Process], None]
    answers: bool = False


def follow(
    command: Sequence[str], told: Callable[[str], None], stop: Stop, environment: Mapping[str, str] | None = None
) -> Outcome:
    """Run a command to its end, and hand on each line of its output as it comes. A request to stop ends it."""
    out: list[str] = []
    err: list[str] = []

    def heard(line: str, is_error: bool) -> None:
        (err if is_error else out).append(line)
        if not is_error:
            told(line)

    code = listen(command, Conversation(heard, lambda process: end([process])), stop, environment=environment)
    return Outcome(code, "\n".join(out), "\n".join(err))


def listen(
    command: Sequence[str],
    talk: Conversation,
    stop: Stop,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a command to its end, hear each line that it prints, in this thread, and give its exit code.

    When the end is requested, it is asked to end, once, and ends in its own way.
    """
    log.debug("%s", written(command))
    # No terminal for standard input and a session of its own: Ctrl-C comes to us alone, and is handed on once.
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE if talk.answers else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _hear(process, talk, stop)
    except BaseException:  # a listener that raised, Ctrl-C in a script that has no handler of its own
        talk.ask_to_end(process)
        process.wait()
        raise
    finally:
        if process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()
    return process.wait()


def _hear(process: Process, talk: Conversation, stop: Stop) -> None:
    """Until both of its streams have ended."""
    lines: queue.Queue[tuple[bool, str | None]] = queue.Queue()
    for stream, is_error in ((process.stdout, False), (process.stderr, True)):
        assert stream is not None
        threading.Thread(target=_read, args=(stream, is_error, lines), daemon=True).start()
    reading, asked = 2, False
    while reading:
        if stop.requested and not asked:
            asked = True
            talk.ask_to_end(process)
        with contextlib.suppress(queue.Empty):
            is_error, line = lines.get(timeout=0.1)
            if line is None:
                reading -= 1
            else:
                _answer(process, talk.heard(line, is_error))


def _answer(process: Process, line: str | None) -> None:
    """Tell a command what it waits for, if it still does."""
    if line is None or process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()


def _read(stream: IO[bytes], is_error: bool, lines: queue.Queue[tuple[bool, str | None]]) -> None:
    with stream:
        for line in stream:
            lines.put((is_error, line.decode(errors="replace").rstrip()))
    lines.put((is_error, None))


def start(
    command: Sequence[str | Path],
    output: Path,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    cpus: Set[int] | None = None,
) -> Process:
    """Start a program that stays, on `cpus`; what it prints goes to the end of the file `output`. Raises OSError.

    It has a session of its own: Ctrl-C in the terminal is for the runner, which then ends it in order.
    """
    with output.open("ab") as file, pinned(cpus):  # pinned from its first moment: Go, say, counts its CPUs once
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    log.debug("started process %d: %s", process.pid, written(command))
    _started[:] = [*(other for other in _started if other.returncode is None), process]
    return process


def converse(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Process:
    """Start a program that stays, with pipes to all of its streams. Raises OSError. It has a session of its own too."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    log.debug("started process %d: %s", process.pid, written(command))
    return process


def running() -> frozenset[int]:
    """The process ids of all that `start` has started and that nobody has seen end."""
    return frozenset(process.pid for process in _started if process.returncode is None)


def end(processes: Sequence[Process], patience_s: float = STOP_TIMEOUT_S) -> None:
    """End process groups: politely, then for good. Returns when nothing of them is left."""
    left = list(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            signal_group(process, number)
        deadline = time.monotonic() + patience_s
        while left and time.monotonic() < deadline:
            left = [process for process in left if process.poll() is None or _group_lives(process.pid)]
            time.sleep(0.02)


def signal_group(process: Process, number: signal.Signals) -> None:
    """Send a signal to a process and all that it started and that has stayed in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def how_it_ended(process: Process) -> str | None:
    """How a process ended, in words; None while it runs."""
    code = process.poll()
    if code is None:
        return None
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def written(command: Sequence[str | Path]) -> str:
    """A command as it would be typed."""
    return to_paste(*command)


def _group_lives(group: int) -> bool:
    """Whether a process of the group still runs. A dead one that init has not collected yet does not count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS says "permission" of a group of zombies
        return False
    states = dict(_states(group))
    return not states or any(state != "Z" for state in states.values())


def _states(group: int) -> Iterator[tuple[str, str]]:
    """(process id, state letter) of a group's processes, from /proc/PID/stat (proc(5)); nothing without /proc."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may end while we look
            state, _, its_group, *_ = path.read_text().rpartition(")")[2].split()
            if int(its_group) == group:
                yield path.parent.name, state
