"""compose.yaml is the one table of servers for a cluster too: what it says is what pods get."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import twelfth
from manifests import EVERYTHING, containers, environment, files, of_kind, order, pods, raw_lab

from wsgilab.errors import UsageError
from wsgilab.kubernetes.containers import Images, Shape, memory, part, seconds
from wsgilab.kubernetes.rendering import Order, rendered
from wsgilab.lab.servers import load_lab, parse_cpus
from wsgilab.model.request import Request

FILES = files()
LAB = raw_lab()
SERVERS = [server.name for server in order().servers]
MEASURED = [*SERVERS, "nginx", "nginx-exporter"]
CONTAINERS = containers(FILES)


@pytest.mark.parametrize("name", MEASURED)
def test_a_container_runs_what_compose_runs(name: str) -> None:
    service, container = LAB.services[name], CONTAINERS[name]
    command = service.get("command")
    assert container.get("args") == (command.split() if command else None)
    asked_by_name = [word.replace("http://nginx:", "http://127.0.0.1:") for word in service.get("entrypoint", [])]
    assert container.get("command", []) == asked_by_name
    assert container["image"] == service["image"]


@pytest.mark.parametrize("name", MEASURED)
def test_a_container_is_told_what_compose_tells_it(name: str) -> None:
    told = environment(CONTAINERS[name])
    wanted = {key: str(value) for key, value in LAB.services[name]["environment"].items()}
    assert {**told, "LAB_EXPORTER_PORT": None} == {**wanted, "LAB_EXPORTER_PORT": None}


@pytest.mark.parametrize("name", [*MEASURED, "runner"])
def test_a_container_has_the_memory_and_the_cpus_that_compose_gives(name: str) -> None:
    """Requests that are limits, of whole CPUs: Guaranteed, so that the static CPU manager gives CPUs of their own."""
    service, resources = LAB.services[name], CONTAINERS[name]["resources"]
    assert resources["requests"] == resources["limits"]
    assert resources["limits"]["memory"] == memory(service["mem_limit"])
    if name != "nginx-exporter":  # in no figure of a server
        assert resources["limits"]["cpu"] == str(len(parse_cpus("", service["cpuset"])))


@pytest.mark.parametrize("name", MEASURED)
def test_a_container_is_asked_for_its_health_as_in_compose_and_never_killed_for_it(name: str) -> None:
    check, container = LAB.services[name]["healthcheck"], CONTAINERS[name]
    assert check["test"] == ["CMD", *container["readinessProbe"]["exec"]["command"]]
    assert container["startupProbe"]["exec"] == container["readinessProbe"]["exec"]
    assert container["readinessProbe"]["periodSeconds"] == seconds(check["interval"]), "it costs CPU that is measured"
    assert "livenessProbe" not in container


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_locked_in(name: str) -> None:
    security = CONTAINERS[name]["securityContext"]
    assert security == {
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


@pytest.mark.parametrize("name", pods(FILES))
def test_every_pod_is_locked_in_and_undisturbed(name: str) -> None:
    spec = pods(FILES)[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False, "GUNICORN_PORT=tcp://… is read by the lab, UWSGI_PORT by uWSGI"
    assert spec["shareProcessNamespace"] is True, "an exporter beside its server has to be collected"
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert {kind for volume in spec["volumes"] for kind in volume} <= {
        *("name", "emptyDir", "configMap", "persistentVolumeClaim")
    }


def test_the_namespace_lets_nothing_else_in() -> None:
    (namespace,) = of_kind(FILES, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_nobody_has_a_right_in_the_cluster() -> None:
    for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount", "Secret"):
        assert of_kind(FILES, kind) == {}


def test_what_is_written_in_compose_is_writable_in_a_pod() -> None:
    for name in (*MEASURED, "runner"):
        memory_only = [entry.partition(":")[0] for entry in LAB.services[name].get("tmpfs", ())]
        mounted = {mount["mountPath"]: mount["name"] for mount in CONTAINERS[name]["volumeMounts"]}
        volumes = {volume["name"]: volume for pod in pods(FILES).values() for volume in pod["spec"]["volumes"]}
        for path in memory_only:
            assert volumes[mounted[path]]["emptyDir"] == {"medium": "Memory"}, (name, path)


def test_only_nginx_and_those_behind_it_have_the_folder_of_sockets() -> None:
    with_sockets = {
        name for name, each in CONTAINERS.items() if any(m["mountPath"] == "/run/sockets" for m in each["volumeMounts"])
    }
    behind = {server.name for server in order().servers if server.via}
    assert behind
    assert with_sockets == behind | {"nginx"}
    assert with_sockets <= {each["name"] for each in pods(FILES)["nginx"]["spec"]["containers"]}


def changed(name: str, **said: Any) -> Order:
    asked = order(Request(servers=("gunicorn",), seed=1))
    services = {**asked.lab.services, name: {**asked.lab.services[name], **said}}
    return replace(asked, lab=replace(asked.lab, services=services))


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"ulimits": {"nofile": 65536}}, "compose.yaml sets `ulimits` for gunicorn"),
        ({"privileged": True}, "compose.yaml sets `privileged` for gunicorn"),
        ({"volumes": ["./secrets:/run/secrets:ro"]}, "gunicorn mounts /run/secrets"),
        ({"read_only": False}, "`read_only` of gunicorn is not True"),
        ({"cap_drop": []}, "`cap_drop` of gunicorn is not"),
        ({"mem_limit": "half"}, "'half' is not an amount of memory"),
    ],
)
def test_what_is_new_in_compose_is_not_lost_on_the_way(said: dict[str, Any], refused: str) -> None:
    with pytest.raises(UsageError, match=re.escape(refused)):
        rendered(changed("gunicorn", **said))


def test_a_server_that_is_added_to_compose_is_there_without_another_word(tmp_path: Path) -> None:
    lab = load_lab(twelfth.copied(tmp_path, port=8012), {})
    request = Request(servers=(twelfth.NAME,), seed=1)
    added = rendered(Order(lab, lab.select([twelfth.NAME]), request, Images("a", "b"), "wsgilab"))
    assert containers(added)[twelfth.NAME]["args"][0] == "waitress-serve"
    assert twelfth.NAME in of_kind(added, "Service")


def test_settings_reach_the_servers() -> None:
    request = Request(servers=("gunicorn",), settings={"GUNICORN_WORKERS": "7", "SERVER_CPUS": "0-2"}, seed=1)
    container = containers(files(request))["gunicorn"]
    assert container["args"][:3] == ["gunicorn", "-w", "7"]
    assert container["resources"]["limits"]["cpu"] == "3"


def test_nothing_is_left_to_be_filled_in() -> None:
    for path, text in FILES.items():
        if path.endswith(".yaml"):
            assert "${" not in text, path


def test_what_looks_like_a_variable_to_kubernetes_is_taken_as_it_is() -> None:
    said = {"LAB_APP": "a:b($(c))", "KEY": "pa$$word$"}
    service = {**LAB.services["gunicorn"], "command": "serve $(HOME)", "environment": said}
    container = part("gunicorn", service, Images("a", "b"), Shape()).container
    assert container["args"] == ["serve", "$$(HOME)"]
    assert container["env"] == [
        {"name": "LAB_APP", "value": "a:b($$(c))"},
        {"name": "KEY", "value": "pa$$$$word$$"},  # `$$` would become `$`
    ]


def test_images_of_the_lab_are_asked_of_no_registry_unless_they_are_of_one() -> None:
    assert CONTAINERS["gunicorn"]["imagePullPolicy"] == CONTAINERS["runner"]["imagePullPolicy"] == "Never"
    assert CONTAINERS["nginx"]["imagePullPolicy"] == "IfNotPresent"
    images = Images("registry.example/server@sha256:1", "registry.example/runner@sha256:2")
    found = containers(rendered(order(EVERYTHING, images)))
    assert (found["gunicorn"]["image"], found["gunicorn"]["imagePullPolicy"]) == (images.server, "IfNotPresent")
    assert (found["runner"]["image"], found["results"]["image"]) == (images.runner, images.runner)


@pytest.mark.parametrize(("compose", "kubernetes"), [("512m", "512Mi"), ("2g", "2Gi"), ("64MB", "64Mi"), ("9k", "9Ki")])
def test_memory_is_counted_in_powers_of_two_by_both(compose: str, kubernetes: str) -> None:
    assert memory(compose) == kubernetes
