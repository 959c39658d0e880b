"""`--slots 8` on every server of the lab: each handles eight requests at once, and none is bad for want of slots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, Lab, only_run, windows_of

from wsgilab.lab.servers import load_lab

EVERY = list(load_lab(ROOT, {}).servers)
SLOTS = 8


def at_once(window: dict[str, Any]) -> int:
    """Most requests inside the app together."""
    return int(window["usage"]["inside"]["at_once"])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc on this system")
def test_eight_slots_are_eight_under_every_server(lab: Lab) -> None:
    """250 rps of 20 ms need six slots; gunicorn's four would not do. Of more than eight, no more may be inside."""
    what = ("--workload", "io", "--rate", "250", "--rounds", "1", "--duration", "1", "--seed", "1")
    done = lab("run", "--slots", SLOTS, "--servers", ",".join(EVERY), *what)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("dev-single", "uwsgi-single"):
        assert f"{name} has 1 slot, not 8, and no setting that changes them: it is left out." in done.stderr
    verdict = json.loads((only_run(lab) / "verdict.json").read_text())
    rows = {row["server"]: row for row in verdict["servers"]}
    assert {row["variant_of"] or name for name, row in rows.items()} == set(EVERY) - {"dev-single", "uwsgi-single"}
    assert {row["slots"] for name, row in rows.items() if name != "dev"} == {SLOTS}
    for name, row in rows.items():
        kinds = {cause["kind"] for load in row["loads"] for cause in load["causes"]}
        assert "slots" not in kinds, (name, row["why"])
    for window in windows_of(only_run(lab)):
        assert window["plan"]["server"] == "dev" or at_once(window) <= SLOTS, window["plan"]
    assert verdict["floor"][0]["figures"]["p50_ms"] < 20, "nginx waits for nothing"
    assert "no setting that changes them" in (only_run(lab) / "report.md").read_text()
