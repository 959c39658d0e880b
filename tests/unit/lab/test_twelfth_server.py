"""A server has one home: added to compose.yaml, it is in everything that is made from there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import twelfth
import yaml
from support import ROOT

from wsgilab.lab.servers import Lab, load_lab, read_services, settings_in
from wsgilab.measure.scrape_config import for_containers


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return twelfth.copied(tmp_path_factory.mktemp("twelfth"), port=8012)


@pytest.fixture(scope="module")
def lab(copy: Path) -> Lab:
    return load_lab(copy, {})


def test_the_table_of_servers_has_it(copy: Path, lab: Lab) -> None:
    server = lab.servers[twelfth.NAME]
    assert (server.slots, server.port, server.default) == (2, 8012, False)
    assert settings_in(read_services(copy)[twelfth.NAME]) == ["LAB_APP", "LAB_HEALTH_PATH", "WAITRESS_TWO_THREADS"]


def test_prometheus_looks_it_up(lab: Lab) -> None:
    shipped = yaml.safe_load((ROOT / "prometheus/prometheus.yaml").read_text(encoding="utf-8"))
    config = for_containers(shipped, list(lab.servers.values()), Path("/etc/wsgilab"))
    (more,) = [job for job in config["scrape_configs"] if job["job_name"] == "more"]
    assert twelfth.NAME in more["dns_sd_configs"][0]["names"]


def test_the_dashboards_are_built_with_its_colour(copy: Path) -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed")
    script = copy / "grafana/dashboards.py"
    subprocess.run([sys.executable, "-W", "ignore", script], check=True, capture_output=True, timeout=60)
    for path in (copy / "grafana/dashboards").glob("*.json"):
        if "#0072B2" in path.read_text():  # gunicorn's: a dashboard that shows servers in their colours
            assert twelfth.COLOUR in json.dumps(json.loads(path.read_text())), path.name
