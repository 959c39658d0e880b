"""The named workloads, read from the file that k6 itself runs: k6/workloads.js is their only home."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from wsgilab.errors import UsageError, did_you_mean, to_paste
from wsgilab.lab import ROOT
from wsgilab.model.controls import visible

TRAFFIC, SCRIPT = "traffic", "script"
FROM_FILES = {TRAFFIC: "the requests of a lab.toml", SCRIPT: "a k6 script of the user's own"}
"""Workloads that are no single request: what they ask for stands in a file of the user's."""
WORKLOADS_JS = ROOT / "k6" / "workloads.js"


@dataclass(frozen=True)
class Workload:
    """What one request of a workload asks for."""

    name: str
    about: str
    method: str
    path: str
    body_kb: int = 0


def load_workloads(path: Path = WORKLOADS_JS) -> dict[str, Workload]:
    """Give every named workload, in the order of the file.

    Raises UsageError when the object in the file is not valid JSON or a workload lacks a field.
    """
    text = path.read_text(encoding="utf-8")
    try:
        entries = json.loads(text[text.index("{") : text.rindex("}") + 1])
        return {name: Workload(name=name, **entry) for name, entry in entries.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} cannot be read as workloads: {error}",
            "the object must be valid JSON: quoted keys, no trailing comma, no comments inside",
            to_paste("git", "diff", "--", path),
        ) from error


def find_workload(name: str, path: Path = WORKLOADS_JS) -> Workload:
    """Give the workload of that name; a name that starts with `/` is a GET of that path of the app.

    Raises UsageError for an unknown name, with the nearest known one.
    """
    if name.startswith("/") and not name.isprintable():
        raise UsageError(
            f"The workload '{visible(name)}' has bytes or characters that no address has.",
            "they must be percent-encoded",
            to_paste("./lab", "run", "--workload", quote(name, "/?&=%", errors="surrogateescape")),
        )
    if name.startswith("/"):
        return Workload(name=name, about="a path of your own", method="GET", path=name)
    known = load_workloads(path)
    if name in known:
        return known[name]
    if name in FROM_FILES:
        return Workload(name=name, about=FROM_FILES[name], method="GET", path="")
    raise UsageError(
        f"There is no workload '{name}'.",
        did_you_mean(name, known, f"it is neither a path starting with / nor one of {', '.join(known)}"),
        f"./lab run --workload {next(iter(known))}",
    )
