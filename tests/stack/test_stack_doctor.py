"""`./lab doctor --app-dir` asks an app in containers as it does in processes."""

from __future__ import annotations

import json
from pathlib import Path

from compose_stack import Stack
from support import ROOT

SERVERS = "gunicorn-gthread,gunicorn-nginx,gunicorn-gevent"
"""None that `docker compose up` has started: those would go on with this app."""

REFUSES_GEVENT = """
import sys

if "gevent" in sys.modules:
    raise RuntimeError("no greenlets, please")
"""


def test_an_app_in_containers_is_asked_what_its_lab_toml_says(stack: Stack, tmp_path: Path) -> None:
    app = (ROOT / "tests/local/apps/depends.py").read_text()
    (tmp_path / "app.py").write_text(app + REFUSES_GEVENT)
    described = "".join(f'[[requests]]\nname = "{name}"\npath = "/{name}"\n' for name in ("alike", "client"))
    (tmp_path / "lab.toml").write_text(described)
    for place in (tmp_path, *tmp_path.iterdir()):
        place.chmod(0o755 if place.is_dir() else 0o644)
    done = stack.lab("doctor", "--app-dir", str(tmp_path), "--servers", SERVERS, "--json")
    assert done.returncode == 3, "a server that does not start is a finding\n" + done.stdout + done.stderr
    found = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert found["Asked"]["said"].startswith("2 kinds of request (lab.toml) under gunicorn-gthread and gunicorn-nginx")
    assert found["Client address"]["servers"] == ["gunicorn-gthread", "gunicorn-nginx"]
    assert found["Threads"]["servers"] == ["gunicorn-gthread", "gunicorn-nginx"]
    (dead,) = (said for said in found.values() if said.get("servers") == ["gunicorn-gevent"])
    assert "no greenlets, please" in dead["said"]
    assert set(found) == {"Asked", "Client address", "Threads", "Memory", dead["what"]}
