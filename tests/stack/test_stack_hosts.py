"""Load from a container of a Docker engine, for servers that are processes: what `--hosts` does with another machine.

The engine is this machine's own; that changes nothing of how it is reached.
"""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from compose_stack import Stack
from support import PORT_VARIABLES, windows_of

from wsgilab.machine.ports import free_ports


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def two_roles(stack: Stack) -> list[str]:
    """This machine for servers; its engine for the load, which uses the machine's own network."""
    engine = os.environ.get("DOCKER_HOST") or docker("context", "show")
    return ["--host", "app=here,role=servers,address=127.0.0.1", "--host", f"load-1={engine},role=load"]


def test_a_host_that_can_send_load_is_found_fit(stack: Stack, two_roles: list[str]) -> None:
    done = stack.lab("doctor", *two_roles, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    said = " | ".join(finding["said"] for finding in json.loads(done.stdout))
    for wanted in ("Docker ", "k6 v", "its clock is 0.0", "a connection to the servers' address takes"):
        assert wanted in said


def test_k6_in_containers_measures_servers_that_are_processes(stack: Stack, two_roles: list[str]) -> None:
    # Those of the stack are its containers', which may be up.
    processes_ports = dict(zip(PORT_VARIABLES, map(str, free_ports(len(PORT_VARIABLES))), strict=True))
    done = stack.lab(
        *("run", *two_roles, "--generators", "2", "--servers", "uwsgi"),
        *("--rate", "60", "--rounds", "1", "--duration", "1.5"),
        LAB_ENGINE="local",
        **processes_ports,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = stack.newest_run()
    (window,) = windows_of(folder)
    assert window["void"] is None, window["void"]
    assert window["load"]["ok"] == window["load"]["scheduled"] == 90
    assert [share["host"] for share in window["load"]["generators"]] == ["load-1"] * 2
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["generators"] == 2
    assert manifest["cpu_sets"]["load"] == "load-1"
    assert manifest["floor"], "nginx was reached from there too"
    assert not docker("ps", "--all", "--quiet", "--filter", "name=wsgilab-load-")
