"""What a laptop needs on the day before."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.commands import doctor_workshop
from wsgilab.model.finding import MISSING, ODD, OK


def system(folder: Path, battery: str, governor: str) -> Path:
    for name, text in (
        ("class/power_supply/BAT0/status", battery),
        ("devices/system/cpu/cpu0/cpufreq/scaling_governor", governor),
    ):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(f"{text}\n")
    return folder


@pytest.mark.parametrize(
    ("battery", "governor", "states"),
    [
        ("Charging", "performance", [OK]),
        ("Discharging", "performance", [ODD]),
        ("Full", "powersave", [ODD]),
        ("Discharging", "powersave", [ODD, ODD]),
    ],
)
def test_what_makes_a_laptop_slow_is_named(tmp_path: Path, battery: str, governor: str, states: list[str]) -> None:
    assert [found.state for found in doctor_workshop.power(system(tmp_path, battery, governor))] == states


def test_a_system_that_does_not_tell_is_not_blamed(tmp_path: Path) -> None:
    assert [found.state for found in doctor_workshop.power(tmp_path)] == [OK]


def test_a_clock_that_is_behind_the_clone_is_wrong() -> None:
    assert doctor_workshop.clock(1000.0, 2000.0).state == MISSING
    assert doctor_workshop.clock(2000.0, 1000.0).state == OK


def test_programs_of_servers_that_are_missing_are_named(tmp_path: Path) -> None:
    for name in ("flask", "gunicorn", "uwsgi", "granian"):
        (tmp_path / name).touch()
    found = doctor_workshop._servers(tmp_path)
    assert (found.state, found.said) == (MISSING, f"waitress-serve not in {tmp_path}")
    (tmp_path / "waitress-serve").touch()
    assert doctor_workshop._servers(tmp_path).state == OK
