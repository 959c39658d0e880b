"""Why a server did not start: the lines of its log that matter, the likely cause, and what to do next."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsgilab.engines.background import Finished
from wsgilab.errors import ServerError
from wsgilab.machine import installed
from wsgilab.model.server import Server

LOG_LINES = 12
APP_FAILED = "LAB_APP="
"""How services/serve/wsgi.py begins the line that says why the app cannot be served."""
IMPORT = "import os, wsgi; os._exit(0)"
"""Loads the app as every server does. A thread that the app has started would keep the process for ever."""
NEVER_IMPORTED = "The app was not imported in the time that a server has to start, and no server was started."
NOT_LOADED = (
    (
        re.compile(r" failed: No module named '(\w+)"),
        "{} is neither in the app's folder nor installed: requirements.txt, lab.toml or --requirement says what the "
        "app needs",
    ),
    (
        re.compile(r": module (\S+) has no attribute "),
        "a typo after --app, or in lab.toml: it is MODULE:NAME, and the app, or what makes it, has another name in {}",
    ),
    (re.compile(r" is an ASGI app"), "an app for another kind of server"),
)
"""What the reason that services/serve/wsgi.py gives comes from."""
OWN_FRAMES = "In the app's own files:"
"""And the line above the frames of the app's own files, which that line follows."""
QUEUE_TOO_LONG = re.compile(r"Listen queue size is greater than the system max net\.core\.somaxconn \((\d+)\)")
"""How uWSGI says it."""


GEVENT_TOO_OLD = re.compile(r"gevent worker requires gevent \S+ or higher")
"""How Gunicorn refuses a gevent that pip chose for the app's sake: its metadata ask for one as an extra only."""
COPIES = "`writes` in lab.toml gives each server a copy of it"
NOT_WRITABLE = {
    "Read-only file system: '/srv/app": f"the app writes in its folder, which is read-only; {COPIES}",
    "attempt to write a readonly database": "the app may not write its database: in a container its folder is "
    f"read-only; {COPIES}",
    "unable to open database file": "SQLite's file is in a folder that is not there or, in a container, in the app's "
    f"own, which is read-only; {COPIES}",
}
"""How Python and SQLite say that an app cannot write its files, and what that comes from."""


@dataclass(frozen=True)
class Finding:
    """What a log tells."""

    lines: tuple[str, ...]
    """Those worth showing."""
    cause: str
    next_command: str | None = None
    """None where all one can do is try again."""


def did_not_start(server: Server, reason: str, log: str, again: str, withheld: Sequence[str] = ()) -> ServerError:
    """The error for a server that wrote `log` instead of answering. All of the log is kept in a file that it names.

    `again`: the command that tries it once more. `withheld`: variables that the log names and that are set here, but
    that no server gets.
    """
    finding = read(log, server)
    cause = finding.cause + not_told(withheld)
    if len(finding.lines) < len(log.strip().splitlines()) and (kept := _keep(log, server.name)):
        cause += f"; its whole log is {kept}"
    what = "\n".join([f"{server.name} did not start: {reason}", *(f"  | {line}" for line in finding.lines)])
    return ServerError(what, cause, finding.next_command or again, server.name)


def not_loaded(server: Server, done: Finished, again: str, withheld: Sequence[str] = ()) -> ServerError:
    """The error for an app that could not be imported, so that no server was started. `done`: the importing process."""
    error = did_not_start(server, done.problem or "", done.output, again, withheld)
    _, *lines = error.what.splitlines()
    if done.late:
        cause = "it waits for something while it is imported: a database, a lock, an answer"
        return ServerError("\n".join([NEVER_IMPORTED, *lines]), cause, again)
    why = "" if any(APP_FAILED in line for line in lines) else f" (its process {done.problem})"
    what = f"The app{_as_it_was(server)} cannot be loaded{why}, and no server was started."
    return ServerError("\n".join([what, *lines]), error.cause, again)


def _as_it_was(server: Server) -> str:
    """Which revision of the app it is, where that is not the one of the working tree."""
    return f" at {server.app.revision}" if server.app and server.app.revision else ""


def fails_everywhere(done: Finished) -> bool:
    """Whether an import failed, and for every server: an app may be made for uWSGI, and import what only that has."""
    of_uwsgi = re.search(r"\buwsgi(decorators)?\b", "".join(last_lines(done.output)[-1:]))
    return done.problem is not None and (done.late or not of_uwsgi)


def read(log: str, server: Server) -> Finding:
    """What matters in the log of a server that did not start."""
    lines = log.strip().splitlines()
    for number, line in enumerate(lines):
        if line.startswith(APP_FAILED):
            return Finding(tuple(_of_the_app(lines[: number + 1])), _why_not_loaded(line))
        if limit := QUEUE_TOO_LONG.search(line):
            return _queue_too_long(line, server, int(limit[1]))
    if old := GEVENT_TOO_OLD.search(log):
        return _gevent_too_old(old[0], server)
    if why := _refused(log):
        return Finding(tuple(lines[-LOG_LINES:]), why)
    cause = "the app or a setting of this server" + ("; the lines above are the end of its log" if lines else "")
    return Finding(tuple(lines[-LOG_LINES:]), cause)


def not_told(withheld: Sequence[str]) -> str:
    """What is added to a cause for variables that the app asks for, and that are set in the shell alone."""
    named = ", ".join(withheld)
    return f"; {named} in your shell did not reach it: an app gets only what --env gives it" if withheld else ""


def last_lines(log: str) -> list[str]:
    """The last lines that a program wrote."""
    return log.strip().splitlines()[-LOG_LINES:]


def _refused(text: str) -> str | None:
    """Why the app was not let write, where its words say that."""
    return next((why for words, why in NOT_WRITABLE.items() if words in text), None)


def _of_the_app(lines: list[str]) -> list[str]:
    """The reason, which is the last of these lines, and where in the app it was."""
    frames = [number for number, line in enumerate(lines) if line == OWN_FRAMES]
    return lines[frames[-1] + 1 :][-LOG_LINES:] if frames else lines[-1:]


def _why_not_loaded(line: str) -> str:
    if why := _refused(line):
        return why
    for reason, why in NOT_LOADED:
        if found := reason.search(line):
            return why.format(*found.groups())
    return "the app: it cannot be loaded, by this server or any other"


def _queue_too_long(line: str, server: Server, limit: int) -> Finding:
    base = server.variant_of or server.name
    return Finding(
        (line,),
        f"UWSGI_LISTEN is above net.core.somaxconn, the longest queue that this kernel allows: {limit}",
        f"./lab run --quick --servers {base} --variant longest={base},UWSGI_LISTEN={limit}",
    )


def _gevent_too_old(line: str, server: Server) -> Finding:
    """Which of the app's requirements keeps gevent, or greenlet, which it needs, as old as that."""
    folder = server.app.environment if server.app else None
    holding = installed.holding_back(Path(folder), ("gevent", "greenlet")) if folder else []
    by = " and ".join(holding) or "its requirements name an older gevent or greenlet, or one that needs such"
    cause = f"the app's requirements leave no newer gevent: {by}; for another Python they may ask for others"
    return Finding((line,), cause, "./lab run --python 3.12")


def _keep(log: str, server: str) -> Path | None:
    """A copy of a log that ends with its run; None where there is no room for it."""
    with contextlib.suppress(OSError):
        descriptor, path = tempfile.mkstemp(prefix=f"wsgilab-{server}-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(log)
        return Path(path)
    return None
