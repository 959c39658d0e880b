"""What is installed in a virtual environment, as its packages themselves say it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

REQUIREMENT = re.compile(r"\s*(?P<name>[\w.-]+)\s*(\[[^\]]*\])?\s*\(?(?P<versions>[^;]*?)\)?\s*(;(?P<marker>.*))?$")
UPPER_BOUND = re.compile(r"<|==|~=")


def holding_back(environment: Path, names: Sequence[str]) -> list[str]:
    """What of it requires no newer version of one of these: `httpbin 0.10.4 requires greenlet<3.0`."""
    folders = [str(folder) for folder in environment.glob("lib/python*/site-packages")]
    found = []
    for package in distributions(path=folders):
        for line in package.requires or ():
            said = REQUIREMENT.match(line)
            of_an_extra = said and "extra" in (said["marker"] or "")
            if said and said["name"].lower() in names and UPPER_BOUND.search(said["versions"]) and not of_an_extra:
                found.append(f"{package.metadata['Name']} {package.version} requires {said['name']}{said['versions']}")
    return sorted(found)
