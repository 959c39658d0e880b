"""Prometheus's own tool accepts the configuration and the rules, and the rules' own tests pass."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support import ROOT

from wsgilab.lab.servers import load_lab
from wsgilab.measure import scrape_config

PROMETHEUS = Path(__file__).resolve().parents[2] / "prometheus"


def find_promtool() -> str | None:
    """promtool on PATH, or in the lab's private tool cache (any depth: packages bring their own folders)."""
    on_path = shutil.which("promtool")
    if on_path:
        return on_path
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cached = sorted((base / "wsgilab" / "tools").glob("**/bin/promtool"))
    return next((str(path) for path in cached if os.access(path, os.X_OK)), None)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"], id="check rules"),
        pytest.param(["test", "rules", "rules_test.yaml"], id="test rules"),
    ],
)
def test_promtool_is_content(arguments: list[str]) -> None:
    promtool = find_promtool()
    if promtool is None:
        pytest.skip("promtool: neither on PATH nor in the private tool cache")
    done = subprocess.run(
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "SUCCESS" in output


def test_the_configuration_is_one_that_prometheus_takes_once_the_servers_are_filled_in(tmp_path: Path) -> None:
    promtool = find_promtool()
    if promtool is None:
        pytest.skip("promtool: neither on PATH nor in the private tool cache")
    shipped = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
    for name in ("password", "rules.yaml"):
        (tmp_path / name).write_bytes((PROMETHEUS / name).read_bytes() if name == "rules.yaml" else b"x")
    filled_in = scrape_config.for_containers(shipped, list(load_lab(ROOT, {}).servers.values()), tmp_path)
    config = tmp_path / "prometheus.yaml"
    config.write_text(yaml.safe_dump({**filled_in, "rule_files": [str(tmp_path / "rules.yaml")]}))
    done = subprocess.run(
        [promtool, "check", "config", config], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
