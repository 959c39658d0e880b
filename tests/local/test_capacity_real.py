"""`lab capacity` against a real server: one slot of 22 ms, so about 44 requests per second and no more."""

from __future__ import annotations

import json
import signal

import pytest
from support import Lab, only_run, windows_of

SHORT = ("--servers", "dev-single", "--duration", "2")


def test_the_capacity_of_one_slot_is_found_and_found_again_in_the_saved_run(lab: Lab) -> None:
    done = lab("capacity", *SHORT, "--budget", "100")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = only_run(lab)
    (row,) = json.loads((folder / "verdict.json").read_text())["servers"]
    capacity = row["capacity_rps"]
    assert 25 <= capacity["value"] <= 55
    assert (capacity["low"] or 0) <= capacity["value"] < capacity["high"]
    assert row["slots_allow_rps"] == pytest.approx(44, rel=0.25)
    assert f"{capacity['value']:g} rps" in done.stdout
    before = {name: (folder / name).read_bytes() for name in ("verdict.json", "report.md", "report.html")}
    assert lab("report", folder).stdout == done.stdout
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_an_interrupted_search_keeps_and_reports_what_it_knows(lab: Lab) -> None:
    running = lab.start("capacity", *SHORT)
    try:
        running.says("[3] ")
        running.signal(signal.SIGINT)
        assert running.ends() == 130
    finally:
        running.kill()
    assert len(windows_of(only_run(lab))) >= 2
    assert "inconclusive" in running.output
    assert json.loads((only_run(lab) / "manifest.json").read_text())["search"]["fine_s"] == 2


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--budget", "5"], "above 20"),
        (["--slo", "p98<1s"], "p98"),
        (["--rate", "100"], "--rate"),
        (["--duration", "0"], "above 1"),
    ],
)
def test_wrong_usage_is_refused_before_anything_starts(lab: Lab, arguments: list[str], hint: str) -> None:
    done = lab("capacity", *arguments)
    assert done.returncode == 2
    assert hint in done.stderr
    assert not any(path.is_dir() for path in lab.results.iterdir())
