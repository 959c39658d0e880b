"""Standard output and error that last as long as the command, and pass on no character that a terminal would obey.

Nobody who looks on can end a measurement; and what a saved run, a server's log or the name of a process says is shown.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from wsgilab.model.controls import visible

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


class Shown(io.TextIOWrapper):
    """A stream of text for people: `print` and tracebacks go through `write`."""

    def write(self, text: str, /) -> int:
        """Write `text`, its control characters made visible."""
        return super().write(visible(text))

    def write_styled(self, text: str) -> int:
        """Write what a console has made, colours and all."""
        return super().write(text)


class _Styled:
    """A stream as a console of ours may write to it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.write = stream.write_styled if isinstance(stream, Shown) else stream.write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class ShownConsole(Console):
    """A console whose colours are its own: those in a text are shown as `\\x1b[31m`."""

    def __init__(self, stream: IO[str], width: int | None) -> None:
        super().__init__(file=_Styled(stream), width=width)  # type: ignore[arg-type]

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As Console, from visible text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def make_lasting() -> None:
    """Replace both streams by ones that do not fail on a pipe without a reader or a character they cannot encode."""
    sys.stdout, sys.stderr = _lasting(sys.stdout), _lasting(sys.stderr)


def _lasting(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed by the shell: `>&-`
        return open(os.devnull, "w", encoding="utf-8")
    stream.flush()
    return Shown(
        io.BufferedWriter(_Output(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.isatty() or stream is sys.stderr,
    )
