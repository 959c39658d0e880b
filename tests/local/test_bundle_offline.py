"""A bundle is all that a machine without any network needs: no clone, no .venv, no cache, no address but its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, Lab, lab_environment, only_run, windows_of

CUT_OFF = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:  # loopback of a new namespace is down
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 0x41))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
os.execvp(sys.argv[1], sys.argv[1:])
"""
REACHES_OUT = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
BUDGET_S = 300


def contents(bundle: Path, folder: str = "") -> list[dict[str, Any]]:
    """The pieces of a bundle, or those in a folder of it, as any tar finds them."""
    listed = json.loads(subprocess.check_output(["tar", "-xOf", bundle, "manifest.json"], text=True))
    return [piece for piece in listed["pieces"] if piece["name"].startswith(folder)]


def cut_off(*words: object) -> list[str]:
    """A command, in a network namespace of its own that has loopback and nothing else."""
    return ["unshare", "--net", sys.executable, "-c", CUT_OFF, *map(str, words)]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that requires what the lab does not have, and a project of this machine, which is built in the room."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "requirements.txt").write_text("humanize\n-e ./prices\n")
    (folder / "prices").mkdir()
    (folder / "prices/pyproject.toml").write_text('[project]\nname = "prices"\nversion = "1"\n')
    (folder / "prices/prices.py").write_text("PRICE = 1_000_000\n")
    (folder / "app.py").write_text(
        "import humanize, prices\nfrom flask import Flask\napp = Flask(__name__)\n"
        "app.get('/')(lambda: humanize.intcomma(prices.PRICE))\n"
    )
    return folder


@pytest.fixture(scope="module")
def bundle(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that this machine has made, without images."""
    folder = tmp_path_factory.mktemp("bundle")
    lab = Lab(lab_environment(folder, {}), folder)
    made = lab("bundle", "--without-images", "--app-dir", app, "--out", folder / "wsgilab.tar")
    if made.returncode == 3 and "could not be downloaded" in made.stderr:
        pytest.skip("no package index answers: a bundle was not made")
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "wsgilab.tar"


@pytest.fixture
def alone(bundle: Path, tmp_path: Path, own_ports: dict[str, str]) -> Lab:
    """The lab out of the bundle, on a machine that has nothing else."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare: the network was not cut off")
    reached = subprocess.run(cut_off(sys.executable, "-c", REACHES_OUT), capture_output=True, text=True, check=False)
    if "unshare" in reached.stderr or "Operation not permitted" in reached.stderr:
        pytest.skip(f"the network cannot be cut off here: {reached.stderr.strip().splitlines()[-1]}")
    assert "Network is unreachable" in reached.stderr
    subprocess.run(["tar", "-xf", bundle, "lab"], cwd=tmp_path, check=True)
    mine = lab_environment(tmp_path / "results", own_ports)
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "LAB_K6", "LAB_NGINX", "LAB_PROMETHEUS"):
        mine.pop(name, None)
    path = os.pathsep.join(part for part in mine["PATH"].split(os.pathsep) if not part.startswith(sys.prefix))
    mine |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path / "home"), "PATH": path}
    (tmp_path / "results").mkdir()
    return Lab(mine, tmp_path / "results")


def said(lab: Lab, *words: object) -> subprocess.CompletedProcess[str]:
    """What the unpacked lab answers, cut off."""
    launcher = lab.results.parent / "lab/lab"
    return subprocess.run(
        cut_off(launcher, *words),
        cwd=ROOT,  # another clone, whose code is not this lab's
        env=lab.environment,
        capture_output=True,
        text=True,
        timeout=BUDGET_S,
        check=False,
    )


def test_a_machine_without_network_is_set_up_once_and_measures(alone: Lab, bundle: Path, app: Path) -> None:
    home = alone.results.parent
    set_up = said(alone, "bundle", "--use", bundle)
    assert set_up.returncode == 0, set_up.stdout + set_up.stderr
    assert "Ready after" in set_up.stderr
    assert (home / "lab/.venv/bin/gunicorn").exists()
    brought = {piece["name"].partition("/")[2] for piece in contents(bundle) if piece["name"].endswith(".whl")}
    assert {path.name for path in (home / "lab/.venv/wheels").iterdir()} == brought
    tools = {piece["name"].removeprefix("tools/").removesuffix(".tar.gz") for piece in contents(bundle, "tools")}
    assert {path.name for path in (home / "cache/wsgilab/tools").glob("*")} == tools

    again = said(alone, "bundle", "--use", bundle)
    assert again.returncode == 0, again.stderr
    assert "Setting up" not in again.stderr

    options = ("--servers", "gunicorn,uwsgi", "--rate", "20", "--rounds", "1", "--duration", "1")
    run = said(alone, "run", "--engine", "local", "--app-dir", app, *options)
    assert run.returncode in (0, 5), run.stdout + run.stderr
    assert "fetching" not in run.stderr
    windows = windows_of(only_run(alone))
    assert {window["plan"]["server"] for window in windows if window["load"]["ok"]} == {"gunicorn", "uwsgi"}

    clicks = said(alone, "vitals", "--help")  # what drives a browser is installed before anything else
    assert clicks.returncode == 0, clicks.stdout + clicks.stderr
    assert list((home / "lab/.venv").glob("lib/python*/site-packages/playwright"))


def test_its_table_of_contents_is_that_of_the_clone(bundle: Path) -> None:
    names = {piece["name"] for piece in contents(bundle)}
    assert {"lab/lab", "lab/compose.yaml", "lab/docs/how-to.md", "lab/locks/local.txt"} <= names
    of_the_app = {name.split("-")[0].removeprefix("app/") for name in names if name.startswith("app/")}
    assert of_the_app - {"packaging"} == {"humanize", "prices", "setuptools", "wheel"}
    locked = (ROOT / "locks/browser.txt").read_text()
    for wheel in (name for name in names if name.startswith("wheels/") and not name.startswith("wheels/pip-")):
        name, version = wheel.removeprefix("wheels/").split("-")[:2]
        assert f"{name.lower().replace('_', '-').replace('.', '-')}=={version}" in locked
