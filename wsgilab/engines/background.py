"""What runs in the background of a run on this machine: servers, nginx, exporters. None of it outlives the run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType

from wsgilab.errors import LabError
from wsgilab.machine import leftovers, places, processes
from wsgilab.machine.leftovers import Leftover
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.model.listener import UNHEARD, Listener
from wsgilab.model.privacy import without_values
from wsgilab.model.server import Server

INHERITED = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|TZ|TMPDIR|LANG|LANGUAGE|LC_\w+|(LD|DYLD)_\w*LIBRARY_PATH|SSL_CERT_(FILE|DIR))"
)
"""What a program needs of its user's environment, and no more: as in a container, neither a token in the shell reaches
the app under test, nor a setting that nobody sees (NGINX, WERKZEUG_RUN_MAIN, GUNICORN_CMD_ARGS) a server."""
PROGRAMS = Path(sys.executable).parent
"""Where the lab's own environment has the servers."""
DONE = "ended with exit code 0"
MOST_OF_A_LOG = 4_000_000
"""An app may print without end as it starts; the reason is at the end."""


@dataclass
class Started:
    """A process group, and where its output goes."""

    process: processes.Process
    log: Path


@dataclass(frozen=True)
class Finished:
    """How a program that was to come to its end did that."""

    problem: str | None
    """What was wrong, in words; None where it was well."""
    output: str
    late: bool = False
    """Whether its time was over, and it was ended."""


class Background:
    """Programs of one run: each has a log, the run's mark and the servers' CPUs. Leaving the block ends them all."""

    def __init__(
        self,
        cpus: frozenset[int],
        environ: Mapping[str, str],
        listener: Listener = UNHEARD,
        given: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`given`: the variables that somebody gave the app. What is told of a program's log has no value."""
        self._cpus = cpus
        self._environ = environ
        self._listener = listener
        self._given = given
        self._started: dict[str, Started] = {}
        self._escaped: dict[int, Leftover] = {}

    def __enter__(self) -> Background:
        # Metrics files, heartbeats and sockets belong in memory: a disk that blocks would be measured. Logs do not: it
        # is they that say that the memory is full.
        self._place = places.make(in_memory=True)
        self._logs = places.make(id=self._place.id) if self._place.path.parent == places.MEMORY else self._place
        self._children = leftovers.children()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(list(self._started))
        self._remember(leftovers.end_marked(self._place.environment))
        self._remember(leftovers.end_orphans(self._children))
        if self._escaped:
            self._listener.warning(_left_behind(list(self._escaped.values())))
        for place in dict.fromkeys((self._place, self._logs)):
            place.remove()

    @property
    def folder(self) -> Path:
        """For what the programs write: private to this run."""
        return self._place.path

    @property
    def disk(self) -> Path:
        """For what is too large for memory, or belongs on a disk; private to this run, too."""
        return self._logs.path

    @property
    def run_id(self) -> str:
        """What servers and exporters say in X-Lab-Run."""
        return self._place.id

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        programs: Path = PROGRAMS,
    ) -> None:
        """Start a program with `environment`, and what programs need of ours besides. Raises OSError.

        What it calls by name is looked for in `programs` first.
        """
        output = self._logs.path / f"{name}.log"
        complete = self.environment(environment, programs)
        self._started[name] = Started(processes.start(command, output, folder, complete, self._cpus), output)

    def environment(self, own: Mapping[str, str], programs: Path = PROGRAMS) -> dict[str, str]:
        """All that a program finds in its environment: its own variables, what it needs of ours, and the run's mark."""
        return {**needed(self._environ, programs), **own, **self._place.environment}

    def finish(self, name: str, stop: Stop, timeout_s: float) -> Finished:
        """Wait for the end of a program that was started; after `timeout_s` it is ended. Raises Interrupted."""
        log = self._started[name].log
        try:
            done = poll_until(lambda: self.ended(name) is not None, stop, timeout_s)
            how = self.ended(name) if done else f"not done after {timeout_s:g} s"
            return Finished(None if how == DONE else how, self.output(name, MOST_OF_A_LOG), late=not done)
        finally:
            self.end([name])
            log.unlink(missing_ok=True)

    def ended(self, name: str) -> str | None:
        """How a program that was started has ended, in words; None while it runs."""
        return processes.how_it_ended(self._started[name].process)

    def pid(self, name: str) -> int:
        """The first process of a program that was started."""
        return self._started[name].process.pid

    def output(self, name: str, most_bytes: int | None = None) -> str:
        """What a program has written so far, or the last of it; nothing where that is gone."""
        with suppress(OSError, KeyError), self._started[name].log.open("rb") as file:
            if most_bytes is not None:
                file.seek(max(0, file.seek(0, os.SEEK_END) - most_bytes))
            return self.told(file.read().decode(errors="replace"))
        return ""

    def told(self, text: str) -> str:
        """What a program of the run wrote, as others may see it."""
        return without_values(text, self._given)

    def end(self, names: Sequence[str], mark: Mapping[str, str] | None = None) -> None:
        """End those of these programs that were started, with all that stayed in their groups.

        And what else of this run has the variables of `mark`.
        """
        processes.end([self._started.pop(name).process for name in names if name in self._started])
        if mark:
            self._remember(leftovers.end_marked({**self._place.environment, **mark}))

    def withheld(self, text: str) -> list[str]:
        """The variables of our environment that `text` names and that no program got."""
        return withheld(self._environ, text)

    def _remember(self, escaped: Sequence[Leftover]) -> None:
        self._escaped |= {leftover.pid: leftover for leftover in escaped}


def needed(environ: Mapping[str, str], programs: Path = PROGRAMS) -> dict[str, str]:
    """What a program needs of our environment. What it calls by name is looked for in `programs` first."""
    inherited = {name: value for name, value in environ.items() if INHERITED.fullmatch(name)}
    return {**inherited, "PATH": f"{programs}{os.pathsep}{inherited.get('PATH') or os.defpath}"}


def withheld(environ: Mapping[str, str], text: str) -> list[str]:
    """The variables of our environment that `text` names and that no program got."""
    words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]{2,}", text))
    return sorted(name for name in environ if name in words and not INHERITED.fullmatch(name))


def programs_of(server: Server) -> Path:
    """Where the server's programs, and the Python that runs them, are installed."""
    return Path(server.app.environment) / "bin" if server.app and server.app.environment else PROGRAMS


def _left_behind(escaped: Sequence[Leftover]) -> LabError:
    return LabError(
        f"The app or its servers left behind {leftovers.listed(escaped)}, out of their process group; they were ended.",
        "the app starts processes in a session of their own (start_new_session, setsid, a daemon)",
        "./lab doctor",
    )
