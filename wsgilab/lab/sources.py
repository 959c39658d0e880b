"""Whether two machines have the same lab: a digest of the code that measures."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDERS = {"wsgilab": "*.py", "k6": "*.js"}
"""Those that services/Dockerfile copies into the runner's image."""


def digest(root: Path) -> str:
    """The digest of every file, by its name and its content; line ends do not count."""
    found = hashlib.sha256()
    for folder, pattern in FOLDERS.items():
        for path in sorted((root / folder).rglob(pattern)):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            found.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()[:16]
