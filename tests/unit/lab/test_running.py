"""The settings of a server that runs are told from its command line."""

from __future__ import annotations

import pytest
from support import ROOT

from wsgilab.lab.running import settings_shown
from wsgilab.lab.servers import VARIABLE, load_lab, read_services

SERVICES = read_services(ROOT)
OTHERS = {
    name: str(number)
    for number, name in enumerate(sorted({m["name"] for m in VARIABLE.finditer(str(SERVICES))}), 31)
    if name.endswith(("_WORKERS", "_PROCESSES", "_THREADS", "_CONNECTIONS"))
}
"""Every setting that counts something, each with a value of its own."""


@pytest.mark.parametrize("name", load_lab(ROOT, {}).servers)
def test_every_setting_that_decides_the_slots_shows_in_the_command(name: str) -> None:
    """Under `docker compose up` nobody tells the runner of any other."""
    label, command = SERVICES[name]["labels"]["lab.slots"], SERVICES[name]["command"]
    assert {m["name"] for m in VARIABLE.finditer(label)} <= {m["name"] for m in VARIABLE.finditer(command)}


@pytest.mark.parametrize("name", load_lab(ROOT, {}).servers)
@pytest.mark.parametrize("prefix", ["", "/venv/bin/", "/venv/bin/python3 /venv/bin/"])
def test_what_compose_was_told_is_found_again(name: str, prefix: str) -> None:
    theirs = load_lab(ROOT, OTHERS).servers[name]
    shown = settings_shown(SERVICES[name]["command"], prefix + " ".join(theirs.command))
    assert shown is not None
    again = load_lab(ROOT, shown).servers[name]
    assert (again.command, again.slots, again.concurrency) == (theirs.command, theirs.slots, theirs.concurrency)


@pytest.mark.parametrize(
    ("running", "shown"),
    [
        ("gunicorn -w 8 -t 8 app", {"N": "8"}),
        ("/a b/gunicorn  -w 8\n-t 8 app", {"N": "8"}),
        ("gunicorn -w 8 -t 9 app", None),
        ("gunicorn -w 8 -t 8 app --preload", None),
        ("nogunicorn -w 8 -t 8 app", None),
        ("", None),
    ],
)
def test_another_command_shows_nothing(running: str, shown: dict[str, str] | None) -> None:
    assert settings_shown("gunicorn -w ${N:-4}\n  -t ${N} app", running) == shown
