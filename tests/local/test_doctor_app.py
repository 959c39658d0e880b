"""`./lab doctor --app-dir`: one app that depends on its server in every way that is looked for, asked for real."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from support import ROOT, Lab

APPS = ROOT / "tests/local/apps"
ROUTES = ("alike", "fails", "body", "header", "client", "link", "stream", "blocks", "counts")
UPLOAD = """
[[requests]]
name = "refuses"
path = "/refuses"
method = "POST"
body = "a body that nobody reads"
expect = {status = 413}
"""


def test_everything_that_depends_on_the_server_is_found_and_nothing_else(lab: Lab, tmp_path: Path) -> None:
    shutil.copy(APPS / "depends.py", tmp_path / "app.py")
    asked = "".join(f'[[requests]]\nname = "{name}"\npath = "/{name}"\n' for name in ROUTES)
    (tmp_path / "lab.toml").write_text(asked + UPLOAD)
    servers = "dev,gunicorn,gunicorn-gevent,uwsgi"
    done = lab("doctor", "--app-dir", tmp_path, "--servers", servers, "--json")
    assert done.returncode == 3, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    told = {
        (one["what"], *re.findall(r"\w+", one["said"])[:1], *one["servers"]) for one in found if one["state"] != "ok"
    }
    states = {finding for finding in told if finding[0] == "State in memory"}
    threads = {finding for finding in told if finding[0] == "Threads"}
    assert told - states - threads == {
        ("Answer", "fails", "dev"),
        ("Body", "body", "gunicorn"),
        ("Header", "header", "gunicorn"),
        ("Client address", "client", "dev", "gunicorn", "gunicorn-gevent", "uwsgi"),
        ("Scheme", "link", "dev"),
        ("Upload", "refuses", "dev", "gunicorn", "gunicorn-gevent"),
        ("Stream", "stream", "uwsgi"),
        ("Concurrency", "blocks", "gunicorn-gevent"),
    }, json.dumps(found, indent=1)
    for _, name, *by_chance in states:  # on a machine with nothing else to do, one worker may answer everything
        assert name == "counts"
        assert set(by_chance) <= {"gunicorn", "gunicorn-gevent", "uwsgi"}, "dev has one process"
    ((_, _, *with_threads),) = threads
    assert with_threads == ["dev", "gunicorn", "uwsgi"]
    for finding in found:
        assert finding["state"] == "ok" or (finding["means"] and finding["fix"])
