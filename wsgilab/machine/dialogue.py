"""A program that stays and is spoken to: a line to it, lines from it, each heard at the moment it comes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from wsgilab.machine import processes

LAST_LINES = 5


class Dialogue:
    """A program with pipes to it. `heard` gets each line that it prints, in a thread of its own."""

    def __init__(
        self, command: Sequence[str], heard: Callable[[str], None], environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = command
        self._environment = environment
        self._process: processes.Process | None = None
        self._heard = heard
        self._errors: deque[str] = deque(maxlen=LAST_LINES)
        self._speaking = threading.Lock()
        self._readers: list[threading.Thread] = []

    def start(self) -> None:
        """Raises OSError where the program cannot be started."""
        process = processes.converse(self._command, self._environment)
        self._process = process
        self._readers = [
            threading.Thread(target=self._listen, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def ended(self) -> bool:
        """Whether it has ended and all that it printed was heard."""
        return (
            self._process is not None
            and self._process.poll() is not None
            and not any(reader.is_alive() for reader in self._readers)
        )

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def last_words(self) -> str:
        """The last lines on its standard error, as one."""
        return " ".join(self._errors)

    def say(self, line: str) -> None:
        """Tell it a line; in vain where it has ended."""
        if self._process is None or self._process.stdin is None:
            return
        with self._speaking, contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def fall_silent(self, patience_s: float) -> None:
        """Tell it that nothing more will be said: the end of its standard input."""
        if self._process is None or self._process.stdin is None:
            return
        if self._speaking.acquire(timeout=patience_s):  # in vain while it does not take what it is told
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._speaking.release()

    def end(self, patience_s: float) -> None:
        """End it if it still runs: a bounded wait for its own end, then by force."""
        if self._process is None:
            return
        self.fall_silent(patience_s)
        deadline = time.monotonic() + patience_s
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        processes.end([self._process], patience_s)
        for reader in self._readers:
            reader.join(patience_s)

    def _listen(self, lines: IO[bytes]) -> None:
        with lines:
            for line in lines:
                self._heard(line.decode(errors="replace").rstrip("\n"))

    def _read_errors(self, lines: IO[bytes]) -> None:
        with lines:
            for line in lines:
                self._errors.append(line.decode(errors="replace").strip())
