"""Standard output and error that last as long as the command: nobody who looks on can end a measurement."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


NOBODY_READS = (errno.EPIPE, errno.EIO)
"""A pipe whose reader has gone (`./lab run | head`), a terminal that was closed."""


class _Output(io.FileIO):
    """Goes on into the void where nobody reads any more: the run is kept, its exit code counts.

    A disk without room is an error, once: Python would try again as it ends, and end with another one.
    """

    _gone = False

    def write(self, data: ReadableBuffer, /) -> int:
        if not self._gone:
            try:
                return super().write(data)
            except OSError as error:
                self._gone = True
                if error.errno not in NOBODY_READS:
                    raise
        return memoryview(data).nbytes


def make_lasting() -> None:
    """Replace both streams by ones that do not fail on a pipe without a reader or a character they cannot encode."""
    sys.stdout, sys.stderr = _lasting(sys.stdout), _lasting(sys.stderr)


def _lasting(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed by the shell: `>&-`
        return open(os.devnull, "w", encoding="utf-8")
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.isatty() or stream is sys.stderr,
    )
