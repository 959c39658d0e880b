"""The pods of a manifest, run as containers that share what pods share: all of them is real but the cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from compose_stack import Stack
from docker_pods import Pods
from manifests import files, pods
from support import wait_for, windows_of

from wsgilab.kubernetes.servers import exporter_ports
from wsgilab.lab import ROOT
from wsgilab.lab.servers import load_lab
from wsgilab.model.request import Request

SERVERS = ("gunicorn", "uwsgi-single", "uwsgi")
PROCESSES = {"gunicorn": 5, "uwsgi-single": 2, "uwsgi": 5, "nginx-exporter": 2}
"""What each exporter is to see of its own, and no neighbour's: a first one and its workers."""
ASK = """
import http.client  # which asks no proxy: the tests' containers are given one that is dead
connection = http.client.HTTPConnection("127.0.0.1", {})
connection.request("GET", "/metrics")
print(connection.getresponse().read().decode())
"""
STATES = """
import os
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        said, command = (open(f'/proc/{pid}/{name}').read().replace(chr(0), ' ') for name in ('stat', 'cmdline'))
    except OSError:
        continue
    print(pid, *said.rpartition(')')[2].split()[:2], command.partition(chr(10))[0])
"""


@pytest.fixture(scope="module")
def texts(stack: Stack) -> dict[str, str]:
    settings = {"NGINX_IMAGE": stack.variable("NGINX_IMAGE")}
    asked = Request(servers=SERVERS, rates_rps=(50.0,), rounds=1, duration_s=1.5, seed=1, settings=settings)
    return dict(files(asked))


@pytest.fixture(scope="module")
def running(stack: Stack, texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    """Both pods of the servers, each container healthy by its own probe."""
    prefix = f"{stack.environment['COMPOSE_PROJECT_NAME']}-pod"
    with Pods(texts, tmp_path_factory.mktemp("pods"), stack.environment, prefix) as started:
        for name in ("gunicorn", "nginx"):
            started.start(name, cpus=stack.variable("SERVER_CPUS"))
            for container in pods(texts)[name]["spec"]["containers"]:
                probe = container["readinessProbe"]["exec"]["command"]
                healthy = lambda name=container["name"], probe=probe: started.inside(name, *probe, check=False)  # noqa: E731
                wait_for(lambda ask=healthy: ask().returncode == 0, f"{container['name']} to be healthy")
        yield started


def read(running: Pods, container: str) -> dict[str, str]:
    """What the exporter of a container says, by the name of each figure; nothing while it starts."""
    ports = exporter_ports(load_lab(ROOT, {}).select(SERVERS))
    said = running.inside(container, "python3", "-c", ASK.format(ports[container][1]), check=False).stdout
    return dict(line.rpartition(" ")[::2] for line in said.splitlines())


def test_each_exporter_sees_its_own_server_and_no_neighbour(running: Pods) -> None:
    for name, processes in PROCESSES.items():
        wait_for(lambda name=name: "server_memory_pss_bytes" in read(running, name), f"the memory of {name}")
        said = read(running, name)
        assert said["server_up"] == "1.0", name
        assert float(said["server_processes"]) == processes, name
        assert float(said["server_memory_pss_bytes"]) > 0, name


def test_the_pod_s_first_process_adopts_exporters_and_nothing_is_left_of_a_server_that_ends(running: Pods) -> None:
    def seen() -> dict[str, tuple[str, str]]:
        lines = (line.split(" ", 3) for line in running.inside("uwsgi", "python3", "-c", STATES).stdout.splitlines())
        return {command: (state, parent) for _, state, parent, command in lines}

    exporters = [command for command in seen() if "exporter.py --pid" in command]
    assert len(exporters) == 2
    assert {seen()[command][1] for command in exporters} == {"1"}, "no server has a child that it did not start"
    running.stop("uwsgi-single")
    wait_for(lambda: len([command for command in seen() if "exporter.py --pid" in command]) == 1, "its exporter to end")
    assert "Z" not in {state for state, _ in seen().values()}, "and is collected"


def test_the_job_measures_and_keeps_what_it_measured(running: Pods, stack: Stack, texts: dict[str, str]) -> None:
    """uwsgi's exporter has another port in its pod, where only a Service leads: gunicorn alone is measured here."""
    asked = Request.from_json(texts["base/request.json"]).but(servers=("gunicorn",))
    running.start("runner", stack.variable("LOAD_CPUS"), told={"LAB_REQUEST": asked.to_json()})
    code, said = running.ended("runner")
    assert code in (0, 5), said  # a busy machine's window is void, and the rest is the same
    assert "Engine: kubernetes (the runner is a pod next to the servers)." in said
    assert "kubectl --namespace wsgilab cp results:/results results" in said
    (folder,) = (path for path in running.results.iterdir() if path.is_dir())
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["engine"] == "kubernetes"
    assert [floor["rate_rps"] for floor in verdict["floor"]] == [50], "nginx gave the fixed answer"
    assert [window["load"]["ok"] for window in windows_of(folder)] == [75]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["limits"]["cpus_of_each_server"] == 1
    assert manifest["images"]["SERVER_IMAGE"] == "wsgilab-server:local"
    assert "not_pinned" not in manifest, "each server has one CPU"
    assert Path(folder / "report.html").is_file()
