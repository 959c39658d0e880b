"""What servers on another machine would mount from this one, copied into volumes there before they start."""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from wsgilab.engines import far_engines
from wsgilab.engines.far_trouble import trouble
from wsgilab.engines.host_project import Copy
from wsgilab.errors import MissingError, to_paste
from wsgilab.machine import pipes
from wsgilab.model.hosts import Host

LEFT_OUT = {".git", ".hg", ".svn", "__pycache__"}
"""No app is served from these."""
READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
ENTERABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def fill(copies: Sequence[Copy], host: Host, container: str) -> None:
    """Copy each to where a container of that host has it; the container need not run. Raises MissingError."""
    for copy in copies:
        with tempfile.TemporaryFile(prefix="wsgilab-") as packed:
            pack(Path(copy.source), packed)
            packed.seek(0)
            done = pipes.feed([*far_engines.docker(host), "cp", "-", f"{container}:{copy.folder}"], _chunks(packed))
        if not done.ok:
            raise trouble(host, f"{copy.source} could not be copied there", done.last_line)


def pack(source: Path, sink: IO[bytes]) -> None:
    """A tar of a folder's content, or of one file. Links are followed, and everybody may read what is in it: there, its
    user is nobody's. Raises MissingError for what cannot be read."""
    with tarfile.open(fileobj=sink, mode="w", dereference=True) as archive:
        try:
            for path, name in [(source, source.name)] if source.is_file() else _content(source):
                archive.add(path, name, recursive=False, filter=_readable)
        except OSError as error:
            what = f"{source} cannot be copied to another machine: {error}."
            raise MissingError(
                what, "a file in it that you may not read, or that goes away", to_paste("ls", "-lR", source)
            ) from error


def _content(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each folder and file below, and its name in the tar."""
    for here, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = [name for name in sorted(folders) if _is_wanted(Path(here, name))]
        for name in [*folders, *sorted(files)]:
            path = Path(here, name)
            if path.is_dir() or path.is_file():  # no sockets, no links that lead nowhere
                yield path, str(path.relative_to(folder))


def _refuse(error: OSError) -> None:
    raise error


def _is_wanted(folder: Path) -> bool:
    here, there = os.path.realpath(folder.parent), os.path.realpath(folder)
    leads_back = folder.is_symlink() and f"{here}/".startswith(f"{there}/")
    return not leads_back and folder.name not in LEFT_OUT and not (folder / "pyvenv.cfg").exists()


def _readable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode |= READABLE | (ENTERABLE if entry.isdir() else 0)
    return entry


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(pipes.CHUNK_BYTES):
        yield chunk
