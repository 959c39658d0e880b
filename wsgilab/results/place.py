"""Where a run is saved, and that no other one is under way there."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from wsgilab.errors import MissingError
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import Listener
from wsgilab.model.request import Request
from wsgilab.results.folder import BLOCKS, WINDOWS, RunFolder, new_folder

POLL_S = 0.1
IN_THIS_PROCESS = threading.Lock()


def results_of(request: Request, root: Path) -> Path:
    """Where the request's run, and the lock of all runs, are made."""
    return Path(request.results) if request.results else root / "results"


def folder_for(request: Request, root: Path, now: datetime, listener: Listener) -> RunFolder:
    """A new folder for this run. Where the place for results cannot be written, in the spare one: nothing is lost.

    Raises MissingError where there is no place, UsageError where the folder that was asked for holds a run.
    """
    lines = BLOCKS if request.command == "vitals" else WINDOWS
    if request.out:
        return RunFolder.create(Path(request.out), lines)
    try:
        return RunFolder.create(new_folder(results_of(request, root), request.command, now), lines)
    except MissingError as error:
        if not request.spare_results:
            raise
        listener.warning(
            MissingError(
                f"{error.what} This run goes into the volume 'spare' instead.",
                f"results/ on the host does not belong to user {os.getuid()}; set LAB_UID and LAB_GID in .env to yours",
                "docker compose cp runner:/spare/. results/",
            )
        )
        return RunFolder.create(new_folder(Path(request.spare_results), request.command, now), lines)


@contextmanager
def turn_in_this_process(stop: Stop, listener: Listener) -> Iterator[None]:
    """One run at a time: a second thread waits for the first, for two at once would measure each other.

    Raises Interrupted where the end is asked for meanwhile.
    """
    if not IN_THIS_PROCESS.acquire(blocking=False):
        listener.message("Waiting for another run of this process to end.")
        while not IN_THIS_PROCESS.acquire(timeout=POLL_S):
            stop.check()
    try:
        yield
    finally:
        IN_THIS_PROCESS.release()


@contextmanager
def one_run_in(folder: Path) -> Iterator[None]:
    """One run of a clone at a time, whatever its machine's lock. Raises MissingError while another process has one."""
    try:
        lock = (folder / ".run.lock").open("a")
    except OSError:  # a folder that cannot be written is reported where results are created
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MissingError(
                "Another run is under way.",
                "a ./lab run or docker compose run in another terminal; two at once would measure each other, so wait, "
                "or stop it with Ctrl-C",
                "pgrep -fl wsgilab",
            ) from error
        yield
