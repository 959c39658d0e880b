"""A folder of plain files as one .tar.gz, and back. Links are neither packed nor unpacked: none leads elsewhere."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path

from wsgilab.errors import UsageError
from wsgilab.model.bundle import is_below

LEVEL = 1
CHUNK_BYTES = 1 << 20


def pack(folder: Path, target: Path) -> int:
    """Write the plain files of a folder into a .tar.gz; how many bytes they have."""
    total = 0
    with tarfile.open(target, "w:gz", compresslevel=LEVEL) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            header = tarfile.TarInfo(path.relative_to(folder).as_posix())
            header.size, header.mtime = path.stat().st_size, int(path.stat().st_mtime)
            header.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as file:
                archive.addfile(header, file)
            total += header.size
    return total


def unpack(archive_path: Path, folder: Path) -> None:
    """Unpack a .tar.gz into an empty folder. Raises UsageError for one that holds more than plain files below it."""
    try:
        with tarfile.open(archive_path, "r:gz") as archive:
            for member in archive:
                _unpack_file(archive, member, folder)
    except (tarfile.TarError, EOFError, zlib.error, FileExistsError, NotADirectoryError) as error:
        raise _refused(archive_path.name, f"it cannot be unpacked ({error})") from error


def _unpack_file(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    source = archive.extractfile(member) if member.isreg() and is_below(member.name) else None
    if source is None:
        raise _refused(
            Path(str(archive.name)).name, f"it holds '{member.name:.80}', which is no plain file below its folder"
        )
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file, CHUNK_BYTES)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _refused(name: str, reason: str) -> UsageError:
    cause = "a bundle that ./lab bundle did not make"
    return UsageError(f"{name} is not unpacked: {reason}.", cause, "./lab bundle")
