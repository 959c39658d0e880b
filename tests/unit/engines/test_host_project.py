"""The Compose project for servers on another machine: as compose.yaml says, without anything of this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support import ROOT

from wsgilab.engines.host_project import CARRIER, MARK, Copy, Project, Terms, images_of, project, sources
from wsgilab.errors import UsageError
from wsgilab.lab.servers import load_lab
from wsgilab.model.server import Server

HARDENED = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "init": True,
    "pids_limit": 4096,
    "user": "10001:10001",
    "cpuset": "0",
    "tmpfs": ["/tmp:mode=1777"],
    "networks": {"default": None},
}
APP = {"type": "bind", "source": "/home/me/app", "target": "/srv/app", "read_only": True}
CONF = {"type": "bind", "source": "/clone/nginx.conf", "target": "/etc/wsgilab/nginx.conf", "read_only": True}
SOCKETS = {"type": "volume", "source": "sockets", "target": "/run/sockets", "volume": {}}
BUILT = {"image": {"condition": "service_completed_successfully"}}


def published(port: int, inside: int) -> dict[str, Any]:
    return {"mode": "ingress", "host_ip": "10.0.0.5", "target": inside, "published": str(port), "protocol": "tcp"}


def server(*volumes: dict[str, Any], **more: Any) -> dict[str, Any]:
    said = {"image": "wsgilab-server:local", "environment": {"LAB_EXPORTER_PORT": "9100"}, "depends_on": BUILT}
    return {**HARDENED, **said, "volumes": list(volumes), "labels": {"lab.slots": "4"}, **more}


CONFIG: dict[str, Any] = {
    "name": "wsgilab",
    "services": {
        "image": {"image": "wsgilab-server:local", "build": {"context": "/clone"}},
        "nginx": {**HARDENED, "image": "nginx:1", "volumes": [CONF, SOCKETS], "ports": [published(8005, 8005)]},
        "nginx-exporter": server(pid="service:nginx", depends_on={**BUILT, "nginx": {"condition": "service_healthy"}}),
        "gunicorn": server(APP, ports=[published(8003, 8000)], build={"context": "/clone"}, profiles=["more"]),
        "uwsgi": server(APP, SOCKETS),
        "eight": server(APP),
    },
    "networks": {"default": {"name": "wsgilab_default"}},
    "volumes": {"sockets": {"name": "wsgilab_sockets", "driver_opts": {"type": "tmpfs"}}, "spare": {"name": "x"}},
}
SERVICES = ["nginx", "nginx-exporter", "gunicorn", "uwsgi", "eight"]
TERMS = Terms(
    "wsgilab-1", "4f2a", "10.0.0.5", "", {"wsgilab-server:local": "sha256:a", "nginx:1": "sha256:b"}, {CONF["source"]}
)


def servers() -> list[Server]:
    known = load_lab(ROOT, {}).servers
    eight = replace(known["gunicorn"], name="eight", variant_of="gunicorn", url="http://eight:8000")
    return [known["gunicorn"], known["uwsgi"], eight]


@pytest.fixture
def made() -> Project:
    return project(CONFIG, SERVICES, servers(), TERMS)


def test_nothing_of_this_machine_is_mounted_or_built_there(made: Project) -> None:
    services = made.content["services"]
    assert set(services) == {*SERVICES, CARRIER}
    for service in services.values():
        assert not {"build", "profiles"} & set(service)
        assert all(volume["type"] == "volume" for volume in service["volumes"])
        assert (service["image"], service["pull_policy"]) in (("sha256:a", "never"), ("sha256:b", "never"))
    assert services["nginx-exporter"]["depends_on"] == {"nginx": {"condition": "service_healthy"}}
    assert "depends_on" not in services["gunicorn"], "its image is there"


def test_every_hardening_key_is_kept(made: Project) -> None:
    for name in SERVICES:
        said, service = CONFIG["services"][name], made.content["services"][name]
        for key in (*HARDENED, "pid"):
            assert service.get(key) == said.get(key), (name, key)


def test_what_would_be_mounted_is_copied_once_and_can_only_be_read(made: Project) -> None:
    assert sources(CONFIG, SERVICES) == {APP["source"], CONF["source"]}
    assert made.copies == (Copy(CONF["source"], "/copies/copy-0"), Copy(APP["source"], "/copies/copy-1"))
    services = made.content["services"]
    of_a_file, sockets = services["nginx"]["volumes"]
    assert (of_a_file["source"], of_a_file["target"], of_a_file["read_only"]) == ("copy-0", "/etc/wsgilab", True)
    assert sockets == SOCKETS
    for name in ("gunicorn", "uwsgi", "eight"):
        app = services[name]["volumes"][0]
        assert (app["source"], app["target"], app["read_only"]) == ("copy-1", "/srv/app", True)
    assert [volume["target"] for volume in services[CARRIER]["volumes"]] == ["/copies/copy-0", "/copies/copy-1"]
    volumes = made.content["volumes"]
    assert set(volumes) == {"copy-0", "copy-1", "sockets"}
    assert volumes["sockets"] == {"driver_opts": {"type": "tmpfs"}, "labels": {MARK: "wsgilab-1"}}


def test_ports_are_published_on_the_address_alone_and_no_exporter_s(made: Project) -> None:
    ports = {name: service.get("ports", []) for name, service in made.content["services"].items()}
    assert {port["host_ip"] for each in ports.values() for port in each} == {"10.0.0.5"}
    assert {name: [(port["target"], port.get("published")) for port in each] for name, each in ports.items()} == {
        "nginx": [(8005, "8005"), (8080, None)],
        "nginx-exporter": [],
        "gunicorn": [(8000, "8003")],
        "uwsgi": [],
        "eight": [(8000, None)],
        CARRIER: [],
    }


def test_servers_and_exporters_say_which_run_is_theirs_and_all_is_marked(made: Project) -> None:
    services = made.content["services"]
    says = {name: service["environment"].get("LAB_RUN_ID") for name, service in services.items() if name != CARRIER}
    assert says == {"nginx": None, **dict.fromkeys(SERVICES[1:], "4f2a")}
    assert {service["labels"][MARK] for service in services.values()} == {"wsgilab-1"}
    assert made.content["networks"] == {"default": {"labels": {MARK: "wsgilab-1"}}}
    assert made.content["name"] == "wsgilab-1"


@pytest.mark.parametrize("key", ["secrets", "configs"])
def test_a_service_that_needs_files_of_this_machine_is_refused(key: str) -> None:
    config = {**CONFIG, "services": {**CONFIG["services"], "app-db": {"image": "nginx:1", key: [{"source": "x"}]}}}
    with pytest.raises(UsageError, match="app-db needs secrets or configs"):
        project(config, [*SERVICES, "app-db"], servers(), TERMS)


def test_a_service_whose_image_has_no_name_is_refused() -> None:
    config = {"services": {"app-db": {"build": {"context": "."}}}}
    with pytest.raises(UsageError, match="has no name by which it could be sent"):
        images_of(config, ["app-db"])
    assert images_of(CONFIG, SERVICES) == {"wsgilab-server:local", "nginx:1"}


def test_by_an_overlay_nothing_is_published_and_its_network_is_nobody_s_to_remove() -> None:
    made = project(CONFIG, SERVICES, servers(), replace(TERMS, overlay="lab"))
    assert not [name for name, service in made.content["services"].items() if service.get("ports")]
    assert made.content["networks"] == {"default": {"external": True, "name": "lab"}}
