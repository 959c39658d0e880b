"""Which files of a folder have changed since a moment: by their names, sizes and times, not by what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePath

MOST_FILES = 20_000
"""Of a larger folder only so many are looked at: it is a service, and no proof."""
NOBODYS = {".git", "__pycache__", "node_modules", ".venv", "venv"}
RESULTS = (".run.lock", "windows.jsonl", "blocks.jsonl")
"""One of these is in a folder of results, or in that of a run."""

Seen = Mapping[str, tuple[int, int]]
"""Path in the folder → when it was written (ns), and its size."""


def seen(folder: Path) -> Seen:
    """The files that are there now."""
    return dict(islice(_files(str(folder), ""), MOST_FILES))


def changed(before: Seen, folder: Path) -> list[str]:
    """The files that have been written, made or removed since, in alphabetical order; no results of the lab."""
    now = seen(folder)
    paths = sorted(path for path in {**before, **now} if before.get(path) != now.get(path))
    return [path for path in paths if not _is_a_result(folder, path)]


def _is_a_result(folder: Path, path: str) -> bool:
    """Whether a folder around it holds a run, or runs: `--out` may be in an app's folder, and so may the whole lab."""
    around = PurePath(path).parents[:-1]
    return any((folder / place / name).exists() for place in around for name in RESULTS)


def _files(folder: str, inside: str) -> Iterator[tuple[str, tuple[int, int]]]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in NOBODYS:
                    yield from _files(entry.path, f"{inside}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                known = entry.stat(follow_symlinks=False)
                yield f"{inside}{entry.name}", (known.st_mtime_ns, known.st_size)
