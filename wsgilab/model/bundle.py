"""What is in a bundle, the one file with everything that a room without a network needs.

The standard library alone: a bundle is read before anything is installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = 1
LAB, WHEELS, APP, TOOLS, IMAGES = KINDS = ("lab", "wheels", "app", "tools", "images")
"""Folders in a bundle, in the order in which they stand in it: what is small and needed first comes first. APP has the
wheels that an app of somebody's own requires besides the lab's."""
SHA256 = re.compile("[0-9a-f]{64}")
MOST_BYTES = 1 << 50


@dataclass(frozen=True)
class Target:
    """What compiled pieces run on."""

    system: str
    machine: str
    libc: str
    """Empty where the system has only one."""
    python: str
    """`3.13`."""

    @property
    def processor(self) -> str:
        """`machine`, by the name that Linux has for it: macOS and Windows have others."""
        return {"arm64": "aarch64", "AMD64": "x86_64"}.get(self.machine, self.machine)

    @property
    def computer(self) -> str:
        """All but the Python: `Linux x86_64 (glibc)`."""
        return f"{self.system} {self.machine}" + (f" ({self.libc})" if self.libc else "")


@dataclass(frozen=True)
class Piece:
    """One file in a bundle."""

    name: str
    size_bytes: int
    sha256: str
    unpacked_bytes: int
    """What it takes on a disk once it is used."""

    @property
    def kind(self) -> str:
        """The folder in the bundle."""
        return self.name.partition("/")[0]

    @property
    def short_name(self) -> str:
        """Its name without that folder."""
        return self.name.partition("/")[2]

    @property
    def is_sound(self) -> bool:
        """Whether it has the types that it should have, and a name that leads nowhere else."""
        sizes = all(
            isinstance(size, int) and 0 <= size <= MOST_BYTES for size in (self.size_bytes, self.unpacked_bytes)
        )
        texts = isinstance(self.name, str) and isinstance(self.sha256, str) and SHA256.fullmatch(self.sha256)
        if not (sizes and texts and is_below(self.name) and self.kind in KINDS and self.short_name):
            return False
        return self.kind == LAB or "/" not in self.short_name


@dataclass(frozen=True)
class Image:
    """A container image, as an engine knows it."""

    name: str
    platform: str
    """`linux/amd64`."""
    fingerprint: str
    """The same for the same layers and settings, whichever store the engine keeps them in."""


@dataclass(frozen=True)
class Contents:
    """The table of contents."""

    version: str
    """The lab that made it."""
    created: str
    """UTC, ISO 8601."""
    target: Target
    images: tuple[Image, ...]
    pieces: tuple[Piece, ...]

    def of(self, kind: str) -> list[Piece]:
        """The pieces in one of its folders."""
        return [piece for piece in self.pieces if piece.kind == kind]

    def to_json(self) -> dict[str, Any]:
        """What manifest.json says."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contents:
        """The same again. Raises KeyError, TypeError or ValueError for anything else."""
        pieces = tuple(Piece(**piece) for piece in data["pieces"])
        for piece in pieces:
            if not piece.is_sound:
                raise ValueError(f"an entry that no bundle has: {piece.name!r:.80}")
        if len({piece.name for piece in pieces}) < len(pieces):
            raise ValueError("a name that comes twice")
        images, target = tuple(Image(**image) for image in data["images"]), Target(**data["target"])
        texts = [data["version"], data["created"], *asdict(target).values()]
        texts += [text for image in images for text in asdict(image).values()]
        if not all(isinstance(text, str) and text.isprintable() for text in texts):
            raise TypeError("something that should be a line of text")
        return cls(data["version"], data["created"], target, images, pieces)


def is_below(name: str) -> bool:
    """Whether a name, joined to a folder, leads to something in it."""
    return not {"", ".", ".."} & set(name.split("/")) and "\\" not in name and name.isprintable()


def megabytes(size_bytes: int) -> str:
    """A size for people: `1,203`; `0.4` where it is small."""
    size = size_bytes / 1e6
    return f"{size:,.0f}" if size >= 10 else f"{size:.1f}"
