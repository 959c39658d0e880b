"""How a real stack is locked in: who may read or write what, and what its containers may do."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from compose_stack import Stack
from panel_data import query

from wsgilab.machine import http
from wsgilab.measure.remote_write import Series, encode, snappy


def test_no_page_of_another_origin_may_read_prometheus(stack: Stack, main_job: str) -> None:
    for origin in ("http://evil.example", "null"):
        answer = http.ask(f"{stack.prometheus}/api/v1/status/flags", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] is None


def test_nobody_reads_or_writes_prometheus_without_the_password(stack: Stack, main_job: str) -> None:
    """What a page in a browser can send: a POST without a content type, which needs nobody's leave."""
    sample = snappy(encode([Series("forged", 1.0)], round(time.time() * 1000)))
    bare = http.public(stack.prometheus)
    for url in (bare, bare.replace("//", "//lab:guessed@")):
        assert http.ask(f"{url}/api/v1/write", data=sample).status == 401
        assert http.ask(f"{url}/api/v1/query?query=up").status == 401
    assert query(stack.prometheus, "forged", time.time()) == []


def test_the_password_is_nowhere_in_what_a_run_leaves_behind(stack: Stack, main_job: str) -> None:
    password = stack.inside("prometheus", "cat", "/etc/wsgilab/password")
    assert len(password) >= 32
    texts = {path.name: path.read_text() for path in stack.newest_run().iterdir() if path.is_file()}
    assert [name for name, text in texts.items() if password in text] == []
    assert password not in stack.compose("logs").stdout


def test_ports_are_published_on_loopback_only(stack: Stack, main_job: str) -> None:
    for name, each in stack.containers().items():
        for bindings in (each["HostConfig"]["PortBindings"] or {}).values():
            assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}, name


def test_containers_give_up_every_privilege(stack: Stack, main_job: str) -> None:
    for name, each in stack.containers().items():
        host = each["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert not host["Privileged"], name
        assert host["Memory"] > 0, name
        assert 0 < host["PidsLimit"] <= 4096, name
        assert host["CpusetCpus"], name
        assert each["Config"]["User"].split(":")[0] not in ("", "0", "root"), name
        own_network = f"{stack.environment['COMPOSE_PROJECT_NAME']}_default"
        alone = name in ("image", "prometheus-setup")
        assert host["NetworkMode"] == ("none" if alone else own_network), name
        assert host["IpcMode"] != "host", name
        assert host["PidMode"] == "" or (name == "nginx-exporter" and host["PidMode"].startswith("container:")), name
        assert not any("docker.sock" in mount["Source"] for mount in each["Mounts"]), name


def test_processes_really_run_without_root_or_capabilities(stack: Stack, main_job: str) -> None:
    for service in ("dev", "gunicorn", "uwsgi", "nginx"):
        status = stack.inside(service, "cat", "/proc/1/status")
        assert re.search(r"^Uid:\s+10001\s", status, re.MULTILINE), service
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), service
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), service


def test_the_uwsgi_protocol_is_reachable_by_nginx_alone(stack: Stack, main_job: str) -> None:
    """There is no port for it: whoever can speak it can run code. Its socket is in a volume of four containers."""
    holders = {
        name
        for name, each in stack.containers().items()
        if any(m["Destination"] == "/run/sockets" for m in each["Mounts"])
    }
    assert holders == {"nginx", "uwsgi", "uwsgi-single", "gunicorn-nginx"} & set(stack.containers())
    for service in ("uwsgi", "uwsgi-single"):
        assert not stack.containers()[service]["HostConfig"]["PortBindings"]
        tables = stack.inside(service, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        listening = {int(line.split()[1].rpartition(":")[2], 16) for line in tables.splitlines() if " 0A " in line}
        docker_dns = {port for port in listening if port > 30000}
        assert listening - docker_dns == {9100}, "the exporter alone listens"


def test_no_debugger_answers(stack: Stack, main_job: str) -> None:
    for variable in ("DEV_SINGLE_PORT", "DEV_PORT"):
        url = f"http://127.0.0.1:{stack.port(variable)}"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/console")
        with urllib.request.urlopen(f"{url}/?__debugger__=yes&cmd=resource&f=debugger.js") as answer:
            assert b"Hello" in answer.read()


def test_grafana_opens_on_side_by_side_without_a_login(stack: Stack, main_job: str) -> None:
    image = json.loads(stack.compose("config", "--format", "json").stdout)["services"]["grafana"]["image"]
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"Grafana: its image {image} is not on this machine, so its container was not run")
    stack.compose("up", "--detach", "--wait", "grafana")
    url = f"http://127.0.0.1:{stack.port('GRAFANA_PORT')}"
    with urllib.request.urlopen(f"{url}/api/dashboards/home") as answer:
        assert json.load(answer)["dashboard"]["uid"] == "side-by-side"
    with urllib.request.urlopen(f"{url}/api/datasources/uid/prometheus/health") as answer:
        assert json.load(answer)["status"] == "OK"
    with pytest.raises(urllib.error.HTTPError, match=r"40[13]"):
        urllib.request.urlopen(urllib.request.Request(f"{url}/api/dashboards/db", data=b"{}", method="POST"))
