"""`./lab doctor --app-dir` asks an app in containers as it does in processes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from compose_stack import Stack
from support import ROOT

SERVERS = "gunicorn-gthread,gunicorn-nginx"
"""None that `docker compose up` has started: those would go on with this app."""


def test_an_app_in_containers_is_asked_what_its_lab_toml_says(stack: Stack, tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/local/apps/depends.py", tmp_path / "app.py")
    described = "".join(f'[[requests]]\nname = "{name}"\npath = "/{name}"\n' for name in ("alike", "client"))
    (tmp_path / "lab.toml").write_text(described)
    for place in (tmp_path, *tmp_path.iterdir()):
        place.chmod(0o755 if place.is_dir() else 0o644)
    done = stack.lab("doctor", "--app-dir", str(tmp_path), "--servers", SERVERS, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert found["Asked"]["said"].startswith("2 kinds of request (lab.toml) under gunicorn-gthread and gunicorn-nginx")
    assert found["Client address"]["servers"] == ["gunicorn-gthread", "gunicorn-nginx"]
    assert found["Threads"]["servers"] == ["gunicorn-gthread", "gunicorn-nginx"]
    assert set(found) == {"Asked", "Client address", "Threads", "Memory"}
