"""The lab's app twice in one process: under /bare as it is, under /wrapped in the middleware."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from app import app
from metrics import Middleware

wrapped = Middleware(app, Path(os.environ["LAB_RUN_DIR"]), "benchmark")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    _, which, path = environ["PATH_INFO"].split("/", 2)
    environ["PATH_INFO"] = f"/{path}"
    return {"bare": app, "wrapped": wrapped}[which](environ, start_response)
