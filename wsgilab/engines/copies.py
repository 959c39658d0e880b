"""Each server's copy of its app's folder, where the app keeps something there: made, set up, and reset."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from wsgilab.engines.background import Background, Finished, programs_of
from wsgilab.engines.start_failure import last_lines
from wsgilab.errors import LabError, MissingError, ServerError, to_edit, to_paste
from wsgilab.lab.servers import Lab
from wsgilab.machine.folder_watch import Seen, changed, seen
from wsgilab.machine.waiting import Stop
from wsgilab.model.needs import State
from wsgilab.model.server import Server

COPY_TIMEOUT_S, SETUP_TIMEOUT_S, RESET_TIMEOUT_S = 300.0, 300.0, 60.0
SCRIPT = "services/serve/copy_app.py"
LITTLE_BYTES = 8_192
FULL = ("No space left", "disk is full", "Disk quota exceeded")
"""As the kernel says it, and SQLite."""
OLDER_IMAGE = ("can't open file '/srv/serve/copy_app.py'", "Permission denied: '/srv/scratch/app'")
"""How an image of a version without copies says so."""
OF_SERVERS = ("PYTHONPATH",)
"""What a server finds in its environment, and would lead a command of the app to the lab's own modules."""


class Copies:
    """Copies as folders of this machine. Where the app keeps nothing, it is served from its own folder."""

    def __init__(self, lab: Lab, state: State | None, background: Background, stop: Stop) -> None:
        self._lab = lab
        self._state = state
        self._background = background
        self._stop = stop
        self._seen: dict[Path, Seen] = {}

    def folder(self, server: Server) -> Path:
        """Where the server's app is imported from."""
        return self._own(server) if self._state is None else self._background.disk / "apps" / server.name

    def make(self, server: Server, environment: Mapping[str, str]) -> None:
        """Make the copy, and do what `setup` says. Raises ServerError, Interrupted, MissingError (no room)."""
        if self._state is None:
            self._seen.setdefault(self._own(server), seen(self._own(server)))
            return
        source, target = self._own(server), self.folder(server)
        target.parent.mkdir(exist_ok=True)
        name = f"{server.name}.copy"
        self._background.start(
            name, [sys.executable, "-S", str(self._lab.root / SCRIPT), str(source), str(target)], {}, source
        )
        copied = self._background.finish(name, self._stop, COPY_TIMEOUT_S)
        if copied.problem:
            raise not_copied(server.name, copied, target.parent)
        if self._state.setup:
            done = self._run(server, self._state.setup, environment, SETUP_TIMEOUT_S)
            if done.problem:
                raise not_set_up(server.name, self._state.setup, done, self._own(server), target.parent)

    def reset(self, server: Server, environment: Mapping[str, str]) -> None:
        """What `reset` says. Raises ServerError where it fails, Interrupted."""
        if self._state is None or not self._state.reset:
            return
        done = self._run(server, self._state.reset, environment, RESET_TIMEOUT_S)
        if done.problem:
            raise not_reset(server.name, self._state.reset, done, self._own(server))

    def trouble(self) -> LabError | None:
        """What there is to say of folders that were served as they are, and are not as they were."""
        for folder, before in self._seen.items():
            if paths := changed(before, folder):
                return written_in(folder, paths)
        return None

    def _own(self, server: Server) -> Path:
        return Path(server.app.folder) if server.app else self._lab.app_dir

    def _run(self, server: Server, command: str, environment: Mapping[str, str], timeout_s: float) -> Finished:
        """Run a command of the app's, as the app is run: with its programs and variables, in the server's copy."""
        name = f"{server.name}.task"
        own = {key: value for key, value in environment.items() if key not in OF_SERVERS}
        self._background.start(name, ["/bin/sh", "-c", command], own, self.folder(server), programs_of(server))
        return self._background.finish(name, self._stop, timeout_s)


def written_in(folder: Path, paths: Sequence[str]) -> LabError:
    """What to say where files of an app's folder changed while servers ran."""
    named = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    return LabError(
        f"{named} in {folder} changed while the app was served.",
        "the app writes there, and each window found what the ones before it had left; `writes` in lab.toml gives each "
        "server a copy of the folder",
        _edit(folder),
    )


def not_copied(server: str, done: Finished, where: Path | None = None) -> MissingError:
    """The error for a copy that could not be made. `where`: the folder on this machine that was to hold it."""
    what = _with_lines(f"The app's folder cannot be copied for {server}: {done.problem}", done)
    if _is_full(done, where):
        return _no_room(what, where)
    if where is None and any(sign in done.output for sign in OLDER_IMAGE):
        return MissingError(
            what, "the servers' image was built from another version of the lab", "docker compose build"
        )
    return MissingError(what, "a file in it that you may not read, or that a container's user may not read", "ls -la")


def not_set_up(server: str, command: str, done: Finished, app: Path, where: Path | None = None) -> LabError:
    """The error for a `setup` that failed. `app`: the app's own folder. `where`: the one with its copies, if here."""
    what = _with_lines(f"{server} was not started, for `{command}` failed in its copy: {done.problem}", done)
    if _is_full(done, where):
        return _no_room(what, where)
    cause = "the command in lab.toml (`setup`), or what that needs; it runs in the copy, with the app's own variables"
    return ServerError(what, cause, _edit(app))


def not_reset(server: str, command: str, done: Finished, app: Path) -> ServerError:
    """The error for a `reset` that failed. `app`: the app's own folder."""
    lines = last_lines(done.output)
    said = f" ({lines[-1].strip()})" if lines else ""
    what = f"`{command}`, which resets the app of {server}, failed: {done.problem}{said}"
    return ServerError(what, "the command in lab.toml (`reset`), or what that needs", _edit(app))


def _edit(app: Path) -> str:
    return to_edit(app / "lab.toml")


def _no_room(what: str, where: Path | None) -> MissingError:
    if where is None:
        return MissingError(what, "the disk that has Docker's volumes is full", "docker system df")
    return MissingError(what, f"the disk of {where} is full; TMPDIR can name another one", to_paste("df", "-h", where))


def _with_lines(what: str, done: Finished) -> str:
    return "\n".join([what, *(f"  | {line}" for line in last_lines(done.output))])


def _is_full(done: Finished, where: Path | None) -> bool:
    """Whether there was no room. On a full disk there may be none for the log that says so."""
    if where and where.exists() and shutil.disk_usage(where).free < LITTLE_BYTES:
        return True
    return any(word in done.output for word in FULL)
