"""Before the first window: what was asked for, which engine measures it, where results go, one run at a time."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsgilab.engines import compose
from wsgilab.errors import MissingError, UsageError
from wsgilab.lab import variants
from wsgilab.lab.servers import Lab, load_lab
from wsgilab.machine import leftovers
from wsgilab.machine.turns import turn_on_this_machine
from wsgilab.machine.waiting import Stop
from wsgilab.measure.manifest import utc_now
from wsgilab.model.server import Server
from wsgilab.results.folder import RunFolder, new_folder


def selection(root: Path, arguments: argparse.Namespace) -> tuple[Lab, list[Server]]:
    """The lab with the variants that were asked for, and the servers to measure. Raises UsageError.

    Those of --servers (or the default ones), and each variant wherever it is named, or after them.
    """
    asked = [variants.parse(text) for text in arguments.variants]
    lab = variants.add(load_lab(root, _environment(arguments)), asked)
    chosen = list(arguments.servers or lab.default_servers)
    return lab, lab.select([*chosen, *(variant.name for variant in asked if variant.name not in chosen)])


def choose_engine(arguments: argparse.Namespace, lab: Lab, stop: Stop) -> str | None:
    """Why servers are measured from here; None where a runner inside the Compose network does it."""
    if arguments.engine == "attached":
        return "the runner is in the Compose network"
    if arguments.engine == "local":
        return "asked for"
    if arguments.engine == "compose":
        compose.require()
    elif reason := compose.why_not():
        return f"local processes, because {reason}"
    reason = compose.prepare_images(lab, stop)
    if reason is None:
        print("Engine: compose (a Docker engine answers and its images are there).", file=sys.stderr)
        return None
    if arguments.engine == "compose":
        raise MissingError(
            f"--engine compose was asked for, but {reason}.",
            "no image registry can be reached",
            "./lab run --engine local",
        )
    return f"local processes, because {reason}"


def _environment(arguments: argparse.Namespace) -> dict[str, str]:
    """The environment, with what --app and --app-dir say."""
    if arguments.app:
        os.environ["LAB_APP"] = arguments.app
    if arguments.app_dir:
        if not arguments.app_dir.is_dir():
            raise UsageError(
                f"--app-dir {arguments.app_dir} is no folder.",
                "a typo, or a path from elsewhere",
                f"ls {arguments.app_dir.parent}",
            )
        os.environ["LAB_APP_DIR"] = str(arguments.app_dir.resolve())
    return dict(os.environ)


def app_dir(lab: Lab) -> Path:
    """The folder that the app is imported from."""
    return (lab.root / (lab.variables.get("LAB_APP_DIR") or "services/app")).resolve()


def folder_for(command: str, out: Path | None, results: Path) -> RunFolder:
    """Where this run goes. In a container that may not write to the host's results/, a volume: nothing is lost."""
    if out:
        return RunFolder.create(out)
    try:
        return RunFolder.create(new_folder(results, command, utc_now()))
    except MissingError as error:
        spare = os.environ.get("LAB_SPARE_RESULTS")
        if not spare:
            raise
        print(
            f"lab: {error.what} This run goes into the volume 'spare' instead.\n"
            f"  Likely cause: results/ on the host does not belong to user {os.getuid()}\n"
            "  Next: docker compose cp runner:/spare/. results/, and from now on: "
            "LAB_UID=$(id -u) LAB_GID=$(id -g) docker compose up",
            file=sys.stderr,
        )
        return RunFolder.create(new_folder(Path(spare), command, utc_now()))


def machine_lock() -> Path | None:
    """The file that keeps runs apart, where it is not to be the machine's."""
    return Path(os.environ["LAB_LOCK"]) if os.environ.get("LAB_LOCK") else None


@contextmanager
def one_run_at_a_time(folder: Path) -> Iterator[None]:
    """Two runs on one machine would measure each other. Raises MissingError while another one is under way.

    What a run that was killed has left behind is ended and removed first.
    """
    with turn_on_this_machine(machine_lock()), _one_run_in(folder):
        for left in leftovers.clear():
            print(
                f"lab: a run that was killed had left this behind, which is ended and removed: {left}", file=sys.stderr
            )
        yield


@contextmanager
def _one_run_in(folder: Path) -> Iterator[None]:
    try:
        lock = (folder / ".run.lock").open("a")
    except OSError:  # a folder that cannot be written is told of where results are created
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MissingError(
                "Another run is under way.",
                "a ./lab run or docker compose run in another terminal; two at once would measure each other",
                "wait for it to end, or stop it with Ctrl-C",
            ) from error
        yield
