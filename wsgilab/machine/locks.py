"""The versions that a lock file has settled: of uv, Poetry and PDM, and the standard's own.

(https://packaging.python.org/en/latest/specifications/pylock-toml/; the others have a table for each package, too)
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml")
NOT_OF_AN_INDEX = ("git", "path", "url", "vcs", "directory", "archive")


def pins(text: str) -> list[str]:
    """A line `name==version` for each package of an index. Raises ValueError where it is no such file.

    One that has several versions, for several systems or Pythons, is left to pip.
    """
    try:
        document = tomllib.loads(text)
        packages = document.get("packages") or document.get("package") or []
        versions: defaultdict[str, set[str]] = defaultdict(set)
        for package in packages:
            if not isinstance(package, Mapping):
                raise TypeError("no table")
            if "version" in package and _is_of_an_index(package):
                versions[package["name"]].add(package["version"])
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("it has no tables of packages") from error
    return sorted(f"{name}=={next(iter(found))}" for name, found in versions.items() if len(found) == 1)


def _is_of_an_index(package: Mapping[str, Any]) -> bool:
    """Whether a package index has it: a version says nothing of what is in a folder or a repository."""
    source = package.get("source")
    if source is not None:
        return "registry" in source or source.get("type") == "legacy"
    return not any(key in package for key in NOT_OF_AN_INDEX)
