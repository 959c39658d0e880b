"""`./lab vitals` in Compose: a Chromium in a container of its own clicks on servers in theirs."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from compose_stack import Stack

IMAGE = "wsgilab-browser:local"


def test_a_browser_in_a_container_clicks_on_a_server_in_another(stack: Stack) -> None:
    there = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False)
    if there.returncode != 0 and os.environ.get("CI") != "true":
        pytest.skip(f"no {IMAGE}, which takes minutes to build (docker compose build browser): no clicks in containers")
    stack.build("--profile", "browser", "build", "--quiet", "browser")
    asked = ("--servers", "gunicorn", "--rate", "0,40", "--rounds", "1", "--clicks", "1", "--no-film")
    done = stack.lab("vitals", *asked, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    assert (verdict["engine"], verdict["servers"]) == ("compose", ["gunicorn"])
    assert verdict["void_blocks"] == []
    shown = [row for row in verdict["rows"] if row["vital"] == "content_ms"]
    assert len(shown) == 8, "four buttons, idle and under load"
    assert all(row["failed"] == 0 and row["p75_ms"]["value"] > 20 for row in shown)
    manifest = json.loads((stack.newest_run() / "manifest.json").read_text())
    assert manifest["versions"]["browser"].startswith("chromium ")
