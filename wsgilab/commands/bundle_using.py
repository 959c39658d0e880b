"""Sets the lab up from a bundle, piece by piece; what is there already is left alone, so that it can be called again.

.venv is there by then: the bootstrap has made it, out of the same bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wsgilab.commands.console import say
from wsgilab.commands.meter import metered
from wsgilab.engines import compose, images
from wsgilab.errors import EXIT_DONE, LabError, MissingError
from wsgilab.lab import ROOT
from wsgilab.machine import bundles, folders, processes
from wsgilab.machine.bundles import Bundle
from wsgilab.machine.environments import BROUGHT
from wsgilab.machine.packages import Package, cache_dir, replace
from wsgilab.machine.tools import PACKAGES
from wsgilab.model.bundle import APP, IMAGES, TOOLS, WHEELS, Image, Piece
from wsgilab.model.words import counted, listed

IN_IMAGES = ("services/", "wsgilab/", "k6/", "locks/", "compose.yaml")
"""What services/Dockerfile copies: images of another state of it would measure something else. (.env may be edited.)"""


def use(bundle: Bundle) -> int:
    """Unpack what is missing here, and say what could not be used. Gives the exit code of the first such trouble."""
    bundle.require_fit(ROOT)
    say(".venv is ready.")
    troubles: list[LabError] = []
    for step in (_wheels, _tools, _images):
        try:
            step(bundle)
        except LabError as error:
            say(error)
            troubles.append(error)
    if troubles:
        return troubles[0].exit_code
    print("Everything that the bundle has is here. Next: ./lab run --quick")
    return EXIT_DONE


def _wheels(bundle: Bundle) -> None:
    """Keep them for what is installed later: what drives a browser, and what an app requires."""
    folder = ROOT / ".venv" / BROUGHT
    size_bytes = sum(piece.size_bytes for kind in (WHEELS, APP) for piece in bundle.contents.of(kind))
    if size_bytes:
        with metered("unpacking the wheels"):
            bundle.extract_wheels(folder)


def _tools(bundle: Bundle) -> None:
    for piece in bundle.contents.of(TOOLS):
        package = PACKAGES.get(piece.short_name.removesuffix(".tar.gz"))
        if package is None:
            say(f"{piece.short_name}: this lab knows no such tool.")
        elif package.age_days is not None and not package.is_old:
            say(f"{package.name} is there already.")
        else:
            _unpack(bundle, piece, package)
            say(f"{package.name} is unpacked: {package.binary}.")


def _unpack(bundle: Bundle, piece: Piece, package: Package) -> None:
    bundles.require_room(cache_dir(), piece.size_bytes + piece.unpacked_bytes, package.name)

    def fill(folder: Path) -> None:
        packed = folder.parent / piece.short_name
        bundle.extract(piece, packed)
        folders.unpack(packed, folder)
        started = processes.ask([folder / package.program, package.question])
        if not started.ok:  # one that is in the cache is taken, whether it runs or not
            raise package.missing(f"that of the bundle does not run here ({started.last_line})")

    replace(package, fill)


def _images(bundle: Bundle) -> None:
    wanted = bundle.contents.images
    if not wanted:
        say("the bundle has no images.")
        return
    if reason := compose.why_not():
        say(f"the images are not loaded: {reason}. Servers run as local processes.")
        return
    if not _missing(wanted, exactly=True):
        say("the images are there already.")
        return
    _require_engine_of(wanted, bundle)
    if changed := bundle.differing(ROOT, IN_IMAGES):
        raise bundle.of_another_lab(changed)
    _require_room(bundle)
    pieces = bundle.contents.of(IMAGES)
    size_bytes = sum(piece.size_bytes for piece in pieces)
    with metered("checking the images", size_bytes) as moved:
        bundle.verify(IMAGES, moved)  # before the engine sees a byte
    for piece in pieces:
        with metered(f"loading {counted(len(wanted), 'image')}", piece.size_bytes) as moved:
            done = images.load(bundle.chunks(piece, moved))
        if not done.ok:
            raise MissingError(
                f"The images could not be loaded: {done.last_line}.",
                "the engine has no room left, or has ended",
                "docker system df",
            )
    if missing := _missing(wanted, exactly=False):
        raise MissingError(
            f"The images were loaded, but the engine does not have {listed(missing, 'or')}.",
            "an image that .env names by its digest, which an engine may forget; name it by its tag alone",
            "docker image ls",
        )


def _missing(wanted: Sequence[Image], exactly: bool) -> list[str]:
    """The images that this engine does not have, or has, `exactly`, in another state."""
    found = {image.name: images.described(image.name) for image in wanted}
    there = {name: described[0] for name, described in found.items() if described}
    return [image.name for image in wanted if image.name not in there or (exactly and there[image.name] != image)]


def _require_engine_of(wanted: Sequence[Image], bundle: Bundle) -> None:
    here = images.platform()
    for image in wanted:
        if image.platform != here:
            raise MissingError(
                f"{bundle.path} has images for {image.platform}, and this Docker engine runs {here}.",
                "it was made with another kind of engine; the lab measures without Docker too",
                "./lab run --engine local",
            )


def _require_room(bundle: Bundle) -> None:
    """Look at the engine's own disk, where that is one of this machine."""
    told = processes.ask(["docker", "info", "--format", "{{.DockerRootDir}}"]).out.strip()
    if told and Path(told).is_dir():
        needed = sum(piece.unpacked_bytes for piece in bundle.contents.of(IMAGES))
        bundles.require_room(Path(told), needed, "Docker")
