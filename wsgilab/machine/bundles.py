"""The one file with everything that a room without a network needs: written, read, checked.

A plain tar. Its first member, manifest.json, is the table of contents: name, size and SHA-256 of each piece, and which
machine and Python the compiled ones are for. Nothing here needs more than the standard library, for a bundle is read
before anything is installed. No piece gets its name on the disk before its checksum was found right.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from wsgilab.errors import MissingError, UsageError, to_paste
from wsgilab.model.bundle import APP, IMAGES, LAB, SCHEMA, WHEELS, Contents, Piece, Target, megabytes

MANIFEST = "manifest.json"
LOCK, WITH_BROWSER = "locks/local.txt", "locks/browser.txt"
"""What .venv is made of at first, and what it has once `./lab vitals` was called. The second holds the first."""
FORMAT: Final = tarfile.GNU_FORMAT
"""What every tar reads, and has room for the long names of wheels."""
BLOCK_BYTES, CHUNK_BYTES = 512, 1 << 20
MOST_MANIFEST_BYTES = 16_000_000
SPARE_BYTES = 50_000_000
"""What is to be free besides what a bundle says that it takes: file systems round up."""

Moved = Callable[[int], object]
"""Hears how many more bytes have come through."""


def unheard(_size_bytes: int) -> None:
    """A Moved that nobody hears."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that is complete; whether each byte is right is seen when a piece is read."""

    path: Path
    contents: Contents
    offsets: Mapping[str, int]
    """Where in the file each piece begins."""

    def chunks(self, piece: Piece, moved: Moved = unheard) -> Iterator[bytes]:
        """The bytes of a piece. Raises UsageError after the last of them, unless its checksum is right."""
        digest, left = hashlib.sha256(), piece.size_bytes
        try:
            with self.path.open("rb") as file:
                file.seek(self.offsets[piece.name])
                while chunk := file.read(min(left, CHUNK_BYTES)):
                    left -= len(chunk)
                    digest.update(chunk)
                    moved(len(chunk))
                    yield chunk
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if digest.hexdigest() != piece.sha256:
            raise _damaged(self.path, f"{piece.name} does not have the checksum that its table of contents names")

    def verify(self, kind: str = "", moved: Moved = unheard) -> None:
        """Read every piece, or those of a kind, to its end. Raises UsageError where one is damaged."""
        for piece in self.contents.pieces:
            if kind in ("", piece.kind):
                for _chunk in self.chunks(piece, moved):
                    pass

    def extract(self, piece: Piece, target: Path) -> None:
        """Write a piece to a file, unless it is there as it should be. Raises UsageError where it is damaged."""
        if target.is_file() and target.stat().st_size == piece.size_bytes and sha256_of(target) == piece.sha256:
            return
        partial = target.with_name(f"{target.name}.part")
        try:
            with partial.open("wb") as file:
                for chunk in self.chunks(piece):
                    file.write(chunk)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def extract_wheels(self, folder: Path) -> None:
        """Put all wheels into a folder; those that are there already stay. Raises as `extract`, and for no room."""
        pieces = [*self.contents.of(WHEELS), *self.contents.of(APP)]
        missing = [piece for piece in pieces if not (folder / piece.short_name).is_file()]
        require_room(folder, sum(piece.size_bytes + piece.unpacked_bytes for piece in missing), "The lab's .venv")
        folder.mkdir(parents=True, exist_ok=True)
        for piece in pieces:
            self.extract(piece, folder / piece.short_name)

    def require_fit(self, root: Path) -> None:
        """Raise MissingError or UsageError unless it is for this machine, this Python and this state of the lab."""
        here, there = this_machine(), self.contents.target
        cause = "wheels and programs in it are compiled; one that was made on such a machine fits"
        if here.computer != there.computer:
            what = f"{self.path} is for {there.computer}, and this is {here.computer}."
            raise MissingError(what, cause, self._what_fits())
        if here.python != there.python:
            what = f"{self.path} is for Python {there.python}, and the lab has Python {here.python} here."
            raise MissingError(what, cause, self._what_fits())
        if changed := self.differing(root, (LOCK,)):
            raise self.of_another_lab(changed)

    def differing(self, root: Path, places: Sequence[str]) -> list[str]:
        """The files of the lab, at or below these places, that are not here as the bundle was made with them."""
        wanted = {piece.short_name: piece.sha256 for piece in self.contents.of(LAB)}
        chosen = [name for name in wanted if name.startswith(tuple(places))] or list(places)
        return [name for name in chosen if not _is(root / name, wanted.get(name))]

    def of_another_lab(self, changed: Sequence[str]) -> UsageError:
        """Say that these files differ."""
        made = f"version {self.contents.version}, {self.contents.created[:10]}"
        some = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        return UsageError(
            f"{self.path} was made from another state of the lab ({made}). Not the same here: {some}.",
            "this clone is newer or older than the bundle; the lab that it was made from is in it, in the folder lab",
            _unpacked_elsewhere(self.path),
        )

    def _what_fits(self) -> str:
        """A line for a machine that it is not for: on the same processor its images fit all the same."""
        packed = self.contents.of(IMAGES)
        if packed and this_machine().processor == self.contents.target.processor:
            return f"{to_paste('tar', '-xOf', self.path, packed[0].name)} | docker load"
        return "./lab bundle"


def this_machine() -> Target:
    """What runs here, under this Python."""
    libc = platform.libc_ver()[0] or "another C library" if platform.system() == "Linux" else ""
    return Target(platform.system(), platform.machine(), libc, f"{sys.version_info[0]}.{sys.version_info[1]}")


def write(path: Path, contents: Contents, sources: Mapping[str, Path], moved: Moved = unheard) -> None:
    """Write a bundle; `sources` has the file for each piece. It has its name only once it is complete."""
    partial = path.with_name(f"{path.name}.part")
    seconds = int(time.time())
    try:
        with tarfile.open(partial, "w", format=FORMAT) as archive:
            manifest = json.dumps(contents.to_json(), indent=1).encode()
            archive.addfile(_header(MANIFEST, len(manifest), seconds), BytesIO(manifest))
            for piece in contents.pieces:
                header, source = _header(piece.name, piece.size_bytes, seconds), sources[piece.name]
                header.mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
                with source.open("rb") as file:
                    archive.addfile(header, _Heard(file, moved))  # type: ignore[arg-type]
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def piece_of(name: str, source: Path, unpacked_bytes: int | None = None) -> Piece:
    """The entry for a file in the table of contents."""
    size = source.stat().st_size
    return Piece(name, size, sha256_of(source), size if unpacked_bytes is None else unpacked_bytes)


def sha256_of(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_room(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise MissingError where the disk of a folder has no room for so much."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free, needed = shutil.disk_usage(there).free, needed_bytes + SPARE_BYTES
    if free < needed:
        said = f"{what} needs {megabytes(needed)} MB in {there}, and {megabytes(free)} MB are free."
        raise MissingError(said, "a disk that is full, or a small one", to_paste("df", "-h", there))


def read(path: Path) -> Bundle:
    """A bundle, with its table of contents. Raises UsageError for another file, and one that is truncated, damaged, or
    too new."""
    try:
        with tarfile.open(path, "r:") as archive:
            contents, begins = _contents(archive, path)
            whole = begins + sum(_taken_bytes(piece) for piece in contents.pieces)
            if path.stat().st_size < whole:
                raise _truncated(path, whole)
            return Bundle(path, contents, _offsets(archive, contents, path))
    except tarfile.TarError as error:
        raise _no_bundle(path, str(error)) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _contents(archive: tarfile.TarFile, path: Path) -> tuple[Contents, int]:
    """The table of contents, and where the first piece has its header."""
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MOST_MANIFEST_BYTES:
        raise _no_bundle(path, f"it does not begin with {MANIFEST}")
    if path.stat().st_size < first.offset_data + first.size:
        raise _truncated(path, first.offset_data + first.size)
    file = archive.extractfile(first)
    assert file is not None  # it is a regular file
    try:
        data = json.loads(file.read())
        schema = data["schema"]
        if schema == SCHEMA:
            return Contents.from_json(data), first.offset_data + _padded(first.size)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _damaged(path, f"its table of contents cannot be read ({error})") from error
    raise UsageError(
        f"{path} has format {schema!r:.20}, and this lab reads format {SCHEMA}.",
        "it was made by another version of the lab; that one is in it, in the folder lab",
        _unpacked_elsewhere(path),
    )


def _offsets(archive: tarfile.TarFile, contents: Contents, path: Path) -> dict[str, int]:
    """Where each piece begins. Raises UsageError unless the file holds what its table of contents says, and no more."""
    try:
        members = archive.getmembers()[1:]
    except tarfile.TarError as error:
        raise _damaged(path, str(error)) from error
    found = {member.name: member for member in members if member.isreg()}
    for piece in contents.pieces:
        if piece.name not in found or found[piece.name].size != piece.size_bytes:
            raise _damaged(path, f"{piece.name} is not there as its table of contents says")
    if len(members) != len(contents.pieces):
        raise _damaged(path, "it holds more than its table of contents says")
    return {name: member.offset_data for name, member in found.items()}


class _Heard:
    """A file that tells what is read of it."""

    def __init__(self, file: BinaryIO, moved: Moved) -> None:
        self._file = file
        self._moved = moved

    def read(self, size: int) -> bytes:
        """As the file."""
        chunk = self._file.read(size)
        self._moved(len(chunk))
        return chunk


def _is(path: Path, sha256: str | None) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def _header(name: str, size: int, seconds: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, seconds, 0o644
    return header


def _taken_bytes(piece: Piece) -> int:
    """What a piece takes in the file, with its header: the length of the whole is known from the table of contents."""
    return len(_header(piece.name, piece.size_bytes, 0).tobuf(FORMAT)) + _padded(piece.size_bytes)


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _unpacked_elsewhere(path: Path) -> str:
    """A line that unpacks the lab next to this clone: in the clone itself `lab` is the launcher."""
    return f"mkdir -p ../lab-of-bundle && {to_paste('tar', '-xf', path, '-C', '../lab-of-bundle', LAB)}"


def _no_bundle(path: Path, reason: str) -> UsageError:
    what = f"{path} is not a bundle of the lab: {reason}."
    return UsageError(what, "another file, or one that was compressed or packed anew", to_paste("ls", "-l", path))


def _unreadable(path: Path, error: OSError) -> UsageError:
    what = f"{path} cannot be read: {error.strerror or error}."
    cause = "a typo, a stick that is not mounted or does not read, or a file that is not yours"
    return UsageError(what, cause, to_paste("ls", "-l", path))


def _truncated(path: Path, whole: int) -> UsageError:
    there = path.stat().st_size
    return UsageError(
        f"{path} is truncated: {there:,} of {whole:,} bytes are there.",
        "a copy or a download that was interrupted, or a stick that was full; copy it again",
        to_paste("ls", "-l", path),
    )


def _damaged(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"{path} is damaged: {reason}.",
        "a bad copy or a bad stick: copy it again, and compare both copies",
        to_paste("cksum", path),
    )
