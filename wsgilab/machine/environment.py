"""What the programs inherit that the lab starts: read here, and in `tools`, alone below the command line."""

from __future__ import annotations

import os
from collections.abc import Callable


def inherited(without: Callable[[str], object] = lambda _name: False) -> dict[str, str]:
    """The variables of this process, but those whose name `without` holds for."""
    return {name: value for name, value in os.environ.items() if not without(name)}
