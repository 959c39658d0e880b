"""An app that needs a service and writes in its folder, in containers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from compose_stack import Stack
from conftest import PROJECT
from support import ROOT, windows_of

SERVERS = "gunicorn-gthread,gunicorn-nginx"
"""None that `docker compose up` has started: those would go on with this app."""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(ROOT / "tests/local/apps/stocked", tmp_path / "shop"))
    for place in (folder, *folder.rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)
    return folder


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def of_the_app(stack: Stack, kind: str) -> list[str]:
    """Containers or volumes that the app's needs have left in this project."""
    listed = ["docker", kind, "ls", "--all"] if kind == "container" else ["docker", kind, "ls"]
    command = [*listed, "--filter", f"label=com.docker.compose.project={PROJECT}", "--format", "{{json .}}"]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=True)
    names = [json.loads(line).get("Names") or json.loads(line)["Name"] for line in done.stdout.splitlines()]
    return [name for name in names if "app-" in name or "scratch" in name]


def run(stack: Stack, shop: Path) -> subprocess.CompletedProcess[str]:
    arguments = ("run", "--servers", SERVERS, "--rounds", "2", "--duration", "1", "--app-dir", str(shop))
    return stack.lab(*arguments, PYTHON_IMAGE=stack.variable("PYTHON_IMAGE"))


def test_services_run_next_to_the_servers_and_each_server_has_its_copy(stack: Stack, shop: Path) -> None:
    before = written(shop)
    left = f"{PROJECT}-app-old-1"
    labels = ("--label", "wsgilab.run=1", "--label", f"com.docker.compose.project={PROJECT}")
    create = ["docker", "create", "--name", left, *labels, "wsgilab-server:local"]
    subprocess.run(create, env=stack.environment, capture_output=True, check=True)
    done = run(stack, shop)
    assert done.returncode in (0, 5), done.stdout + done.stderr
    folder = stack.newest_run()
    # 40 sold in a window, and 45 are too many: without a reset the second window of each server would fail.
    assert [window["load"]["ok"] for window in windows_of(folder)] == [20] * 4
    assert f"which are ended and removed: {left}" in done.stderr
    assert written(shop) == before
    (service,) = json.loads((folder / "manifest.json").read_text())["services"]
    assert (service["name"], service["exports"], service["cpus"]) == ("stock", ["STOCK"], stack.variable("LOAD_CPUS"))
    assert of_the_app(stack, "container") == of_the_app(stack, "volume") == []


def test_what_goes_wrong_is_explained_and_leaves_nothing(stack: Stack, shop: Path) -> None:
    described = (shop / "compose.yaml").read_text()
    (shop / "compose.yaml").write_text(described.replace("/app/stock.py", "/app/stack.py"))
    done = run(stack, shop)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "The service stock did not start: its container ended with exit code 2" in done.stderr
    assert "can't open file '/app/stack.py'" in done.stderr
    (shop / "compose.yaml").write_text(described)
    said = (shop / "lab.toml").read_text()
    (shop / "lab.toml").write_text(
        said.replace('setup = "python shop.py"', 'setup = "echo the table is locked; exit 7"')
    )
    done = run(stack, shop)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "ended with exit code 7" in done.stderr
    assert "  | the table is locked" in done.stderr
    assert of_the_app(stack, "container") == of_the_app(stack, "volume") == []
