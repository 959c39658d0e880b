"""Records what the unit tests of checks look at: python tests/record_workshop.py [EXERCISE…]

Runs the wrong attempt and the solution of each exercise with real servers, and keeps what they saved in
tests/evidence/, without most readings of exporters. About ten minutes for all, on an idle machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from attempts import WRONG  # noqa: E402 - found by the line above

from wsgilab.commands import command_lines  # noqa: E402
from wsgilab.workshop import catalogue, evidence  # noqa: E402
from wsgilab.workshop.catalogue import Exercise  # noqa: E402
from wsgilab.workshop.checks import State  # noqa: E402

EVIDENCE = ROOT / "tests/evidence"
ANYWHERE = "/home/lab/project"
"""Stands for where this clone is: that is nobody's business."""
TRIES = 3
MADE_VOID = "14-break-it"
"""The exercise whose solution is a void window: of all others they are left out, or they would be evidence for it."""


def main(names: Sequence[str]) -> None:
    for exercise in catalogue.load():
        if names and exercise.name not in names:
            continue
        for what, commands in (("wrong", [WRONG[exercise.name].command]), ("solution", exercise.solution_commands)):
            if not any(record(exercise, what, commands) for _ in range(TRIES)):
                print(f"    {exercise.name}, {what}: NOT RECORDED", flush=True)


def record(exercise: Exercise, what: str, commands: Sequence[str]) -> bool:
    """Whether the commands came out as they should, and are kept."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        for line in commands:
            print(f"{exercise.name}, {what}: {line}", flush=True)
            asked = command_lines.parse(line)
            ours = {**os.environ, "PYTHONPATH": str(ROOT), "LAB_RESULTS": folder}
            if "--engine" not in asked.words:
                ours["LAB_ENGINE"] = "local"
            subprocess.run(asked.runnable, cwd=ROOT, env=ours | asked.variables, capture_output=True, check=False)
        if exercise.name != MADE_VOID:
            leave_out_void_windows(results)
        found = evidence.read(results)
        outcome = exercise.check(found)
        print(f"    {outcome.state}: {outcome.said}", flush=True)
        if not (found.runs or found.records) or outcome.state != (
            State.PASSED if what == "solution" else State.MISSING
        ):
            return False
        keep(results, EVIDENCE / exercise.name / what)
        return True


def leave_out_void_windows(results: Path) -> None:
    for path in results.glob("*/windows.jsonl"):
        lines = path.read_text().splitlines()
        valid = [line for line in lines if json.loads(line)["void"] is None]
        if len(valid) < len(lines):
            print(f"    {len(lines) - len(valid)} of {len(lines)} windows are void, and left out", flush=True)
        path.write_text("".join(f"{line}\n" for line in valid))


def keep(results: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    records = [*results.glob("workshop/*.har"), *results.glob("workshop/*-*.json")]
    runs = [] if records else sorted(results.glob("*/windows.jsonl"))
    for number, path in enumerate(runs, 1):
        folder = place / f"run-{number}"
        folder.mkdir(parents=True)
        manifest = (path.parent / "manifest.json").read_text()
        (folder / "manifest.json").write_text(manifest.replace(str(ROOT), ANYWHERE))
        lines = [json.dumps(slim(json.loads(line)), separators=(",", ":")) for line in path.read_text().splitlines()]
        (folder / "windows.jsonl").write_text("\n".join(lines) + "\n")
    for path in records:
        (place / "workshop").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / "workshop")


def slim(window: dict) -> dict:
    """The same without what a server wrote, and with the first and the last reading of its exporter."""
    usage = window["usage"]
    if usage and len(usage["samples"]) > 2:
        usage["samples"] = [usage["samples"][0], usage["samples"][-1]]
    return {**window, "log": []}


if __name__ == "__main__":
    main(sys.argv[1:])
