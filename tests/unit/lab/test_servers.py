"""compose.yaml is the one table of servers. What must agree with it, does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import ROOT

from wsgilab.errors import UsageError
from wsgilab.lab.servers import VARIABLE, load_lab, parse_cpus, settings_in, slots_of

RAW: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
LAB = load_lab(ROOT, {})
ENV = (ROOT / ".env").read_text()
FIVE = ["dev-single", "dev", "gunicorn", "uwsgi-single", "uwsgi"]
MORE = ["gunicorn-gthread", "gunicorn-gevent", "gunicorn-nginx", "uwsgi-http", "waitress", "granian"]


def test_the_default_five_come_first() -> None:
    assert list(LAB.servers) == FIVE + MORE
    assert LAB.default_servers == FIVE


@pytest.mark.parametrize("name", LAB.servers)
def test_a_server_has_one_name_everywhere(name: str) -> None:
    server = LAB.servers[name]
    assert server.environment["LAB_SERVER"] == name
    assert server.port_variable == f"{name.replace('-', '_').upper()}_PORT"
    assert server.url.startswith("http://nginx:" if server.via else f"http://{name}:")


def test_all_servers_run_from_one_image_under_the_same_limits() -> None:
    for key in ("image", "pull_policy", "cpuset", "mem_limit", "user", "cap_drop", "pids_limit"):
        assert len({str(RAW[name][key]) for name in LAB.servers}) == 1, key


def test_no_image_is_built_twice_and_all_that_run_from_it_wait_for_the_build() -> None:
    """Two builds of one tag collide in the containerd image store, and a first `docker compose up` fails."""
    builders = {service["image"]: name for name, service in RAW.items() if "build" in service}
    assert len(builders) == len([name for name in RAW if "build" in RAW[name]])
    for name, service in RAW.items():
        if service["image"] in builders and "build" not in service:
            assert service["pull_policy"] == "never", name
            builder = builders[service["image"]]
            assert service["depends_on"][builder] == {"condition": "service_completed_successfully"}, name


def test_slots_follow_the_settings() -> None:
    changed = load_lab(ROOT, {"UWSGI_PROCESSES": "3", "UWSGI_THREADS": "5", "GUNICORN_WORKERS": "7"})
    assert changed.servers["uwsgi"].slots == 15
    assert changed.servers["uwsgi-single"].slots == 1
    assert changed.servers["gunicorn"].slots == 7
    assert "-w 7 " in " ".join(changed.servers["gunicorn"].command)
    assert slots_of("unbounded") is None


def test_the_lessons_own_gunicorn_line_is_the_one_that_runs() -> None:
    assert " ".join(LAB.servers["gunicorn"].command).startswith("gunicorn -w 4 -b 0.0.0.0:8000 ")


def test_the_runner_has_no_list_of_settings() -> None:
    """It reads them off the servers that run: see test_running."""
    settings = {setting for name in LAB.servers for setting in settings_in(RAW[name]) if not setting.startswith("LAB_")}
    assert settings
    assert not settings & set(RAW["runner"]["environment"])


def test_every_variable_is_explained_in_env() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for match in VARIABLE.finditer(text):
        assert re.search(rf"^#? ?{match['name']}=", ENV, re.MULTILINE), match["name"]


def test_defaults_shown_in_env_are_those_of_compose_yaml() -> None:
    shown = dict(re.findall(r"^# (\w+)=(.*)$", ENV, re.MULTILINE))
    defaults = {m["name"]: m["default"] for m in VARIABLE.finditer((ROOT / "compose.yaml").read_text()) if m["default"]}
    assert shown == defaults


def test_every_key_of_env_has_a_comment() -> None:
    blocks = re.split(r"\n\s*\n|^# ──.*$", ENV, flags=re.MULTILINE)
    for block in blocks:
        if re.search(r"^\w+=", block, re.MULTILINE):
            assert re.search(r"^# [A-Z]", block, re.MULTILINE), block


def test_nginx_has_an_upstream_and_a_port_for_each_server_behind_it() -> None:
    config = (ROOT / "services/nginx/nginx.conf").read_text()
    behind = [server for server in LAB.servers.values() if server.via == "nginx"]
    assert set(re.findall(r"upstream (\S+) {", config)) == {server.name for server in behind}
    for server in behind:
        assert f"server unix:/run/sockets/{server.name}.sock" in config
        assert f"/run/sockets/{server.name}.sock" in " ".join(server.command)
        assert f"listen 0.0.0.0:{server.url.rpartition(':')[2]};" in config


def test_every_server_and_nginx_start_before_the_runner() -> None:
    waits_for = RAW["runner"]["depends_on"]
    assert set(LAB.default_servers) | {"nginx", "nginx-exporter", "prometheus", "prometheus-setup"} == set(waits_for)
    conditions = {name: condition["condition"] for name, condition in waits_for.items()}
    # The runner waits for the servers' health itself, and says what is wrong with one.
    started = dict.fromkeys(LAB.default_servers, "service_started")
    assert conditions.pop("prometheus-setup") == "service_completed_successfully"
    assert conditions == started | dict.fromkeys(["nginx", "nginx-exporter", "prometheus"], "service_healthy")


def test_every_service_is_locked_in() -> None:
    for name, service in RAW.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in ("0", "root"), name
        assert "mem_limit" in service, name
        assert "cpuset" in service, name
        assert "privileged" not in service, name
        assert "docker.sock" not in str(service.get("volumes")), name
        for port in service.get("ports", ()):
            assert port.startswith("${BIND_ADDRESS}:"), name
    assert "BIND_ADDRESS=127.0.0.1" in ENV.splitlines()


def test_grafana_lets_anyone_look_and_nobody_in() -> None:
    settings = RAW["grafana"]["environment"]
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert settings["GF_AUTH_BASIC_ENABLED"] == "false"
    assert not [name for name in settings if "PASSWORD" in name]


def test_the_home_page_knows_every_port_disturbs_nobody_and_only_reads() -> None:
    home = RAW["home"]
    ports = [port for service in RAW.values() for port in service.get("ports", ())]
    assert set(re.findall(r"\$\{(\w+)\}", " ".join(ports))) - {"HOME_PORT"} <= set(home["environment"])
    assert home["cpuset"] == "${LOAD_CPUS}"
    assert home["image"] == RAW["runner"]["image"], "no image of its own"
    assert "profiles" not in home, "a part of docker compose up"
    assert "home" not in RAW["runner"]["depends_on"], "nothing is measured later because of it"
    for mount in home["volumes"]:
        assert "ro" in mount.rpartition(":")[2].split(","), mount


def test_no_server_is_started_with_a_debugger() -> None:
    for server in LAB.servers.values():
        assert not {"--debug", "--debugger", "--reload"} & set(server.command)
        assert "FLASK_DEBUG" not in server.environment


def test_images_are_pinned() -> None:
    for name, image in re.findall(r"^(\w+_IMAGE)=(.*)$", ENV, re.MULTILINE):
        assert re.search(r":v?\d+\.\d+\.\d+", image), name


def test_a_broken_table_is_the_users_mistake_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()
    (tmp_path / "compose.yaml").write_text("services: [")
    with pytest.raises(UsageError, match=r"compose\.yaml cannot be read"):
        load_lab(tmp_path, {})


@pytest.mark.parametrize(("text", "cpus"), [("0", {0}), ("0,2", {0, 2}), ("1-3", {1, 2, 3}), ("0-1,4", {0, 1, 4})])
def test_cpu_lists(text: str, cpus: set[int]) -> None:
    assert parse_cpus("SERVER_CPUS", text) == cpus


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "-", "1;2", "3-1", "0-999999999", "4096", "-1", "0," * 9999, "9" * 5000]
)
def test_what_is_no_cpu_list_names_its_variable(text: str) -> None:
    with pytest.raises(UsageError, match="SERVER_CPUS"):
        parse_cpus("SERVER_CPUS", text)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("GUNICORN_PORT", "abc", "GUNICORN_PORT is 'abc', which is not a port"),
        ("GUNICORN_PORT", "", "GUNICORN_PORT is '', which is not a port"),
        ("UWSGI_PORT", "65536", "UWSGI_PORT is '65536', which is not a port"),
        ("GUNICORN_PORT", "8002", "dev and gunicorn would both listen on port 8002"),
        ("GUNICORN_WORKERS", "four", "gunicorn cannot have 'four' slots"),
        ("UWSGI_THREADS", "0", "uwsgi cannot have '4 x 0' slots"),
    ],
)
def test_a_setting_that_cannot_be_is_named(setting: str, value: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_lab(ROOT, {setting: value})
    assert raised.value.what == f"{said}."
    assert setting in raised.value.cause
    assert setting in raised.value.next_command


def test_what_to_try_again_names_the_app_that_it_was() -> None:
    assert load_lab(ROOT, {}).app_options == ""
    assert load_lab(ROOT, {"LAB_APP_DIR": "/home/you/my shop"}).app_options == " --app-dir '/home/you/my shop'"
