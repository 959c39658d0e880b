"""What a laptop needs on the day before."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.commands import doctor_workshop
from wsgilab.lab.servers import load_lab
from wsgilab.machine.ports import free_ports
from wsgilab.model.finding import MISSING, ODD, OK, Finding


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


@pytest.mark.parametrize(("with_docker", "start"), [(True, "docker compose up"), (False, "./lab run --prometheus")])
def test_a_port_of_a_page_that_is_taken_comes_with_the_variable_that_moves_it(with_docker: bool, start: str) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = somebody.getsockname()[1]
        (free,) = free_ports(1)
        lab = load_lab(ROOT, {"PROMETHEUS_PORT": str(taken), "GRAFANA_PORT": str(free)})
        (found,) = doctor_workshop._pages(lab, with_docker)
    assert found.state == ODD
    assert re.fullmatch(rf"PROMETHEUS_PORT=\d+ {re.escape(start)}", found.fix)
    (found,) = doctor_workshop._pages(load_lab(ROOT, {"PROMETHEUS_PORT": str(free), "GRAFANA_PORT": str(taken)}), False)
    assert (found.state, found.said) == (OK, f"{free} is free"), "Grafana comes with Docker only"


def test_who_has_everything_can_pack_it_and_who_lacks_something_can_use_that() -> None:
    there, missing = Finding("Servers", OK, "installed"), Finding("Images", MISSING, "not here")
    packs, uses = doctor_workshop.for_others([there]), doctor_workshop.for_others([there, missing])
    assert (packs.state, "./lab bundle packs it" in packs.said) == (OK, True)
    assert (uses.state, "./lab bundle --use FILE" in uses.said) == (ODD, True)


@pytest.mark.parametrize(
    ("there", "begins"), [("powerprofilesctl", "powerprofilesctl "), (None, "echo performance | ")]
)
def test_a_governor_is_changed_by_what_is_there(
    tmp_path: Path, there: str | None, begins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: there)
    (found,) = doctor_workshop.power(system(tmp_path, "Charging", "powersave"))
    assert found.fix.startswith(begins)
