"""Programs that are fed, or that give, more bytes than memory holds: in chunks."""

from __future__ import annotations

import logging
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from wsgilab.machine.processes import NOT_STARTED, Outcome, written

CHUNK_BYTES = 1 << 20
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
