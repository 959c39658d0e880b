"""The lab's app, each request of which burns BURN_MS more of CPU time: a difference whose size is known."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "services" / "app"))

from app import app, burn_cpu

BURN_MS = float(os.environ.get("BURN_MS", "0"))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    burn_cpu(BURN_MS)
    return app(environ, start_response)
