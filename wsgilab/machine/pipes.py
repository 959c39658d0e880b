"""Programs that are fed, or that give, more bytes than memory holds: in chunks."""

from __future__ import annotations

import logging
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import IO

from wsgilab.machine.processes import NOT_STARTED, Outcome, written
from wsgilab.machine.waiting import Stop

CHUNK_BYTES = 1 << 20
LOOK_EVERY_S = 0.1
log = logging.getLogger(__name__)


def drain(command: Sequence[str], sink: Callable[[bytes], object]) -> Outcome:
    """Run a command to its end, and hand what it writes to `sink` as it comes."""

    def read(process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            while chunk := stream.read(CHUNK_BYTES):
                sink(chunk)

    return _run(command, read, subprocess.DEVNULL, subprocess.PIPE)


def feed(command: Sequence[str], chunks: Iterable[bytes]) -> Outcome:
    """Run a command to its end, with these bytes as its standard input.

    Where `chunks` raises, the command is ended: it must not take what it has for all there is.
    """

    def write(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, and its exit code says how
            for chunk in chunks:
                process.stdin.write(chunk)
            process.stdin.close()

    return _run(command, write, subprocess.PIPE, None)


def pour(giver: Sequence[str], taker: Sequence[str], stop: Stop) -> Outcome:
    """Run two commands to their end: what the first one writes is the second one's standard input.

    Gives how it failed, with the last words of each that did. Raises Interrupted, with both of them ended.
    """
    log.debug("%s | %s", written(giver), written(taker))
    with tempfile.TemporaryFile() as gave, tempfile.TemporaryFile() as took, ExitStack() as started:
        try:
            pipe, null = subprocess.PIPE, subprocess.DEVNULL
            first = subprocess.Popen(giver, stdin=null, stdout=pipe, stderr=gave, start_new_session=True)
            started.callback(_end, first)
            second = subprocess.Popen(taker, stdin=first.stdout, stdout=took, stderr=took, start_new_session=True)
            started.callback(_end, second)
        except OSError as error:
            return Outcome(NOT_STARTED, err=str(error))
        _close(first)  # now the second one has it alone: where that ends early, the first one does too
        while second.poll() is None or first.poll() is None:
            stop.wait(LOOK_EVERY_S)
        # Where both failed, either can be the cause: one takes no more, or the other gave only a part.
        pair = ((first, gave), (second, took)) if first.returncode != -signal.SIGPIPE else ((second, took),)
        failed = [(process.returncode, _last_line(said)) for process, said in pair if process.returncode]
        return Outcome(failed[0][0] if failed else 0, err="; ".join(said for _, said in failed if said))


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode(errors="replace").strip().rpartition("\n")[2]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _run(
    command: Sequence[str], talk: Callable[[subprocess.Popen[bytes]], None], stdin: int, stdout: int | None
) -> Outcome:
    log.debug("%s", written(command))
    with tempfile.TemporaryFile() as said:  # a pipe that nobody reads would fill up
        try:
            process = subprocess.Popen(
                command, stdin=stdin, stdout=said if stdout is None else stdout, stderr=said, start_new_session=True
            )
        except OSError as error:
            return Outcome(NOT_STARTED, err=str(error))
        try:
            talk(process)
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            _close(process)
            process.wait()
        said.seek(0)
        return Outcome(code, err=said.read().decode(errors="replace"))


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream:
            with suppress(OSError):  # it has ended before it took all
                stream.close()
