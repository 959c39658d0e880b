"""What compose.yaml must say so that the lab works on machines of other kinds: proxies, SELinux, Podman."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from support import ROOT

from wsgilab.lab.servers import load_lab

SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
MOUNTS = [(name, mount) for name, service in SERVICES.items() for mount in service.get("volumes", [])]
BIND_MOUNTS = [(name, mount) for name, mount in MOUNTS if mount.startswith((".", "$"))]
WITHOUT_NETWORK = {name for name, service in SERVICES.items() if service.get("network_mode") == "none"}
AT_HOME = set(SERVICES) - set(load_lab(ROOT, {}).servers) - WITHOUT_NETWORK
"""Services that speak to nobody outside the lab. Servers may, for their app."""


@pytest.mark.parametrize(("name", "mount"), BIND_MOUNTS)
def test_selinux_lets_containers_read_what_is_mounted(name: str, mount: str) -> None:
    options = mount.rpartition(":")[2].split(",")
    assert "z" in options, "shared by several containers; a private label (Z) would lock the others out"


@pytest.mark.parametrize("name", SERVICES)
def test_no_place_in_a_container_is_mounted_twice(name: str) -> None:
    """Docker's Compose leaves one of the two out; whoever does not gets a refusal of the engine."""
    places = [re.sub(r":[a-z,]+$", "", mount).rpartition(":")[2] for mount in SERVICES[name].get("volumes", [])]
    assert len(places) == len(set(places)), places


@pytest.mark.parametrize("name", SERVICES)
def test_podman_knows_the_options_of_every_tmpfs(name: str) -> None:
    for mount in SERVICES[name].get("tmpfs", []):
        options = {option.partition("=")[0] for option in mount.partition(":")[2].split(",")}
        assert options <= {"mode", "size"}, mount


def test_a_folder_in_memory_is_writable_after_a_restart_too() -> None:
    """The engine gives it the mode of the folder below it, which is there from the first start on."""
    in_image = set(re.findall(r"mkdir --mode=1777 (\S+)", (ROOT / "services/Dockerfile").read_text()))
    own = [service for service in SERVICES.values() if service["image"] == "wsgilab-server:local"]
    folders = {mount.partition(":")[0] for service in own for mount in service.get("tmpfs", [])}
    assert folders - {"/tmp"} == in_image - {"/spare"}


@pytest.mark.parametrize("name", sorted(AT_HOME))
def test_no_proxy_is_asked_for_what_is_inside_the_lab(name: str) -> None:
    environment = SERVICES[name]["environment"]
    for kind in ("http", "https", "all"):
        assert environment[f"{kind}_proxy"] == environment[f"{kind}_proxy".upper()] == ""
