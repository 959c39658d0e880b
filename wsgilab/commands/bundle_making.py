"""Gathers what goes into a bundle, and names what could not be had."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wsgilab import __version__
from wsgilab.commands.console import say
from wsgilab.commands.meter import metered
from wsgilab.engines import compose, images
from wsgilab.errors import MissingError, UsageError, to_paste
from wsgilab.lab import ROOT
from wsgilab.machine import bundles, folders, processes, wheels
from wsgilab.machine.bundles import Bundle
from wsgilab.machine.packages import fetched
from wsgilab.machine.requirements import Requirements
from wsgilab.machine.tools import PACKAGES
from wsgilab.model.bundle import APP, IMAGES, LAB, TOOLS, WHEELS, Contents, Image
from wsgilab.model.words import counted, listed

NONE = Requirements()
FETCHED_BYTES = 500_000_000
"""Wheels and tools, twice: as they are fetched, and in the bundle."""
NOT_OF_THE_LAB = (".git", ".venv", ".venv.lock", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache")
NOT_AT_THE_TOP = ("results",)
"""What stands in a clone and is not the lab."""


@dataclass(frozen=True)
class Source:
    """A file that becomes a piece."""

    name: str
    path: Path
    unpacked_bytes: int | None = None
    """None where it is used as it is."""


@dataclass(frozen=True)
class Wanted:
    """The images to pack, and what they take."""

    images: tuple[Image, ...] = ()
    size_bytes: int = 0


def make(out: Path, with_images: bool, app: Requirements = NONE) -> Bundle:
    """Make a bundle, and read it again; where that is interrupted, nothing is left.

    `app`: what an app requires. Raises MissingError for what cannot be had, UsageError for a file that is there.
    """
    _require_place(out)
    wanted = _images() if with_images else Wanted()
    folder = out.absolute().parent
    bundles.require_room(folder, 2 * wanted.size_bytes + FETCHED_BYTES, "The bundle")
    try:
        with tempfile.TemporaryDirectory(prefix=".bundle-", dir=folder) as name:
            _write(out, wanted, app, Path(name))
    except OSError as error:
        raise MissingError(
            f"{out} cannot be written: {error.strerror or error}.",
            "a folder that is not yours, a disk that is full, or a stick whose file system takes no file above 4 GB",
            to_paste("df", "-h", folder),
        ) from error
    try:
        return _read_again(out)
    except KeyboardInterrupt:
        out.unlink(missing_ok=True)
        raise


def _require_place(out: Path) -> None:
    if out.exists():
        cause = "it was made before; choose another name, or remove it"
        raise UsageError(f"{out} is there already.", cause, to_paste("./lab", "bundle", "--list", out))
    if not out.absolute().parent.is_dir():
        what = f"There is no folder {out.parent}."
        raise UsageError(what, "a typo, or a stick that is not mounted", to_paste("ls", "-ld", out.parent))


def _write(out: Path, wanted: Wanted, app: Requirements, staging: Path) -> None:
    own = list(_wheels(staging))
    sources = [*lab_files(ROOT), *own, *_of_the_app(app, own, staging), *_tools(staging), *_saved(wanted, staging)]
    size_bytes = sum(source.path.stat().st_size for source in sources)
    pieces = []
    with metered("checksums", size_bytes) as moved:
        for source in sources:
            pieces.append(bundles.piece_of(source.name, source.path, source.unpacked_bytes))
            moved(pieces[-1].size_bytes)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    contents = Contents(__version__, made, bundles.this_machine(), wanted.images, tuple(pieces))
    with metered(f"writing {out.name}", size_bytes) as moved:
        bundles.write(out, contents, {source.name: source.path for source in sources}, moved)


def _read_again(out: Path) -> Bundle:
    made = bundles.read(out)
    with metered(f"reading {out.name} again", sum(piece.size_bytes for piece in made.contents.pieces)) as moved:
        made.verify(moved=moved)
    return made


def lab_files(root: Path) -> list[Source]:
    """The files of the lab: those that git knows, or, where it was unpacked from a bundle, all that it brought."""
    known = processes.ask(["git", "ls-files", "-z"], root) if (root / ".git").exists() else None
    names = known.out.split("\0") if known and known.ok else sorted(_everything_in(root))
    files = [(name, root / name) for name in names if name]
    return [Source(f"{LAB}/{name}", path) for name, path in files if path.is_file() and not path.is_symlink()]


def _everything_in(root: Path) -> Iterator[str]:
    for path in root.iterdir():
        if path.is_dir() and path.name not in (*NOT_OF_THE_LAB, *NOT_AT_THE_TOP):
            below = (found.relative_to(root) for found in path.rglob("*"))
            yield from (str(found) for found in below if not set(found.parts) & set(NOT_OF_THE_LAB))
        elif path.is_file() and path.suffix not in (".tar", ".part") and path.name not in NOT_OF_THE_LAB:
            yield path.name


def _wheels(staging: Path) -> Iterator[Source]:
    folder = staging / WHEELS
    folder.mkdir()
    with metered("downloading the wheels of the lock file"):
        wheels.download(ROOT / bundles.WITH_BROWSER, folder)
    for wheel in sorted(folder.glob("*.whl")):
        yield Source(f"{WHEELS}/{wheel.name}", wheel, wheels.unpacked_bytes(wheel))


def _of_the_app(app: Requirements, own: Sequence[Source], staging: Path) -> Iterator[Source]:
    """What an app requires, and the lab does not have already."""
    if not app:
        return
    folder = staging / APP
    folder.mkdir()
    with metered("gathering what the app requires"):
        wheels.build(app, folder)
    there = {source.path.name for source in own}
    for wheel in sorted(folder.glob("*.whl")):
        if wheel.name not in there:
            yield Source(f"{APP}/{wheel.name}", wheel, wheels.unpacked_bytes(wheel))


def _tools(staging: Path) -> Iterator[Source]:
    for package in PACKAGES.values():
        try:
            folder = fetched(package, f"{package.name} for the bundle", say)
        except MissingError as error:
            say(f"{package.name} is not in it: {error.cause}.")
            continue
        packed = staging / f"{package.name}.tar.gz"
        with metered(f"packing {package.name}"):
            unpacked_bytes = folders.pack(folder, packed)
        yield Source(f"{TOOLS}/{packed.name}", packed, unpacked_bytes)


def _images() -> Wanted:
    """What compose.yaml names; nothing where no engine answers. What no run needs (Grafana) may be missing.

    Raises MissingError where another image is missing.
    """
    if reason := compose.why_not():
        say(f"images are not in it: {reason}.")
        return Wanted()
    ways = images.names(ROOT)
    found = {name: images.described(name) for name in ways}
    missing = [name for name, image in found.items() if image is None]
    of_a_run = images.names(ROOT, compose.IMAGES) if missing else {}
    if needed := [name for name in missing if name in of_a_run]:
        raise MissingError(
            f"{listed(needed)} cannot be packed: not in this machine's Docker engine.",
            "not built or pulled yet; --without-images leaves all of them out",
            "docker compose build && docker compose pull --ignore-buildable",
        )
    for name in missing:
        say(f"{name} is not in it: this machine does not have it, and no run needs it; {ways[name]} gets it.")
    there = [described for described in found.values() if described]
    return Wanted(tuple(image for image, _ in there), sum(size for _, size in there))


def _saved(wanted: Wanted, staging: Path) -> Iterator[Source]:
    if not wanted.images:
        return
    packed = staging / "images.tar.gz"
    with metered(f"saving {counted(len(wanted.images), 'image')}") as moved:
        images.save([image.name for image in wanted.images], packed, moved)
    yield Source(f"{IMAGES}/{packed.name}", packed, wanted.size_bytes)
