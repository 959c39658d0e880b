"""What an app needs installed, gathered into one folder: it is then the same for a virtual environment and an image.

Files of requirements name others (`-r base.txt`, `-c constraints.txt`), and projects of this machine (`-e .`, `./lib`,
`dist/shop.whl`). Those are put next to the requirements: what pip builds it builds in a copy, and the user's folders
are never written to. (https://pip.pypa.io/en/stable/reference/requirements-file-format/)
"""

from __future__ import annotations

import codecs
import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wsgilab.errors import UsageError, to_paste
from wsgilab.machine.locks import LOCKS, pins

NAME = "requirements.txt"
CONSTRAINT = "--constraint "
OPTION = re.compile(r"(-r|--requirement|-c|--constraint|-e|--editable)(?:[ \t]+|=|(?<=-[rce]))(\S.*)")
COMMENT = re.compile(r"(^|\s+)#.*$")
PROJECT_FILES = ("pyproject.toml", "setup.py")
ARCHIVES = (".whl", ".tar.gz", ".zip")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", "*.pyc", ".tox", ".nox"
)
"""What no project is built from."""


@dataclass(frozen=True)
class Requirements:
    """What an app needs installed: lines as pip takes them, and files of such lines."""

    lines: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lines or self.files)

    def arguments(self) -> list[str]:
        """The same as arguments for `pip install`, as somebody would type them."""
        told = (line for line in self.lines if not line.startswith(CONSTRAINT))
        return [*told, *(word for file in self.files for word in ("--requirement", str(file)))]


def names_a_file(word: str, base: Path) -> bool:
    """Whether a word names a file of requirements, and is no requirement itself. `base`: where it is told from."""
    return ((base / word).is_file() or word.endswith((".txt", ".in"))) and not word.endswith(ARCHIVES)


def told_from(word: str, base: Path) -> str:
    """A requirement; the whole path where it is a project or an archive of this machine."""
    return str((base / Path(word).expanduser()).resolve()) if _is_path(word) else word


@dataclass(frozen=True)
class Gathered:
    """Requirements in a folder, with all that they refer to."""

    file: Path
    digest: str
    """The same for the same content."""
    sources: Mapping[str, str]
    """Where each copy, as pip sees it, was taken from."""

    def told(self, text: str) -> str:
        """What pip says, with the user's own folders in place of the copies."""
        for copy, source in self.sources.items():
            text = text.replace(copy, source)
        return text


def gather(requirements: Requirements, folder: Path, seen_as: str) -> Gathered:
    """Write them into the file NAME of an empty folder, with all that they refer to next to it.

    `seen_as`: what the folder is called where pip runs. Raises UsageError for a file that cannot be read.
    """
    gathering = _Gathering(folder, seen_as)
    lines = [told for line in requirements.lines for told in gathering.any_line(line, Path())]
    for file in requirements.files:
        lines += gathering.file(file)
    (folder / NAME).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Gathered(folder / NAME, _digest(folder, seen_as), gathering.sources)


@dataclass
class _Gathering:
    """What has been put into the folder so far."""

    folder: Path
    seen_as: str
    open: list[Path] = field(default_factory=list)
    """The files that name each other, down to the one that is being read."""
    sources: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def file(self, path: Path) -> Iterator[str]:
        """The lines of a file, with those of the files that it names in their place."""
        if path.resolve() in self.open:
            raise UsageError(
                f"{path} requires itself.", "a line with -r that leads back to it", to_paste("ls", path.parent)
            )
        self.open.append(path.resolve())
        for line in _read(path).splitlines():
            yield from self.any_line(line, path.parent)
        self.open.pop()

    def any_line(self, line: str, base: Path) -> Iterator[str]:
        """A line, or all those that it stands for. `base`: where it is told from."""
        option = OPTION.fullmatch(COMMENT.sub("", line.strip()))
        if option and option[1] in ("-r", "--requirement") and "://" not in option[2]:
            yield from self.file(base / option[2])
        elif option and option[1] in ("-c", "--constraint") and "://" not in option[2]:
            yield f"--constraint {self._constraints(base / option[2])}"
        elif option and option[1] in ("-e", "--editable"):
            yield self.line(option[2], base)
        else:
            yield self.line(line, base)

    def line(self, line: str, base: Path) -> str:
        """A line, with a copy in place of a project or an archive of this machine. `base`: where it is told from."""
        words = COMMENT.sub("", line.strip())
        place, bracket, extras = words.removeprefix("file:").removeprefix("//").partition("[")
        if not _is_path(place):
            return line
        return f"{self._copied(_source(Path(place).expanduser(), base))}{bracket}{extras}"

    def _constraints(self, path: Path) -> str:
        lines = "\n".join(_locked(path) if path.name in LOCKS else self.file(path))
        target = self._next(path.name)
        target.write_text(lines + "\n", encoding="utf-8")
        return self._as_seen(target)

    def _copied(self, source: Path) -> str:
        target = self._next(source.name)
        if source.is_dir():
            shutil.copytree(source, target, ignore=LEFT_OUT, ignore_dangling_symlinks=True)
        else:
            target = target.parent / str(self.count) / source.name  # pip reads a wheel's name
            target.parent.mkdir()
            shutil.copyfile(source, target)
        self.sources[self._as_seen(target)] = str(source)
        return self._as_seen(target)

    def _next(self, name: str) -> Path:
        self.count += 1
        return self.folder / f"{self.count}-{name}"

    def _as_seen(self, path: Path) -> str:
        return f"{self.seen_as}/{path.relative_to(self.folder)}"


def _source(place: Path, base: Path) -> Path:
    """What a path means that is told in a file in `base`: pip is started in a folder above that as often as there."""
    told = [(folder / place).resolve() for folder in (base, *base.resolve().parents[:2])]
    for source in told:
        if source.is_file() or any((source / name).exists() for name in PROJECT_FILES):
            return source
    if not told[0].exists():
        what = f"There is no {told[0]}, which the app's requirements name."
        raise UsageError(what, "a typo, or a path that is relative to another folder", to_paste("ls", told[0].parent))
    return told[0]


def _is_path(text: str) -> bool:
    begins_so, ends_so = text.startswith((".", "/", "~")), text.endswith(ARCHIVES)
    return (begins_so or ends_so) and " " not in text and "://" not in text


def _digest(folder: Path, seen_as: str) -> str:
    """The same for the same content, wherever the folder is."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.parent == folder:
            content = content.replace(seen_as.encode(), b"")
        found.update(f"\0{path.relative_to(folder)}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def _locked(file: Path) -> list[str]:
    try:
        return pins(_read(file))
    except ValueError as error:
        cause = "a lock file of another tool, or one that was edited"
        raise UsageError(f"{file} cannot be read: {error}.", cause, to_paste("ls", "-l", file)) from error


def _read(file: Path) -> str:
    try:
        content = file.read_bytes()
        # `pip freeze > requirements.txt` in a PowerShell of Windows.
        is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}.", "a typo, or not a file of requirements", to_paste("ls", "-l", file)
        ) from error
