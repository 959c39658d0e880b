"""Services of an app's Compose file as containers of the lab: what is taken over, what is not, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from wsgilab.engines.containers import Container, lost, needed
from wsgilab.engines.stack import Stack
from wsgilab.errors import UsageError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import UNHEARD
from wsgilab.model.needs import Health, Needs, Service, State
from wsgilab.model.request import Request

DESCRIBED: dict[str, Any] = {
    "postgres": {
        "image": "postgres:17",
        "container_name": "shop-db",
        "environment": {"POSTGRES_PASSWORD": "a$$b"},
        "ports": [{"target": 5432, "published": "5432"}],
        "networks": {"back": None},
        "restart": "always",
        "volumes": [
            {"type": "volume", "source": "data", "target": "/var/lib/postgresql/data"},
            {"type": "bind", "source": "/home/you/shop/init.sql", "target": "/docker-entrypoint-initdb.d/init.sql"},
            {"type": "tmpfs", "target": "/tmp"},
        ],
        "healthcheck": {"test": ["CMD", "pg_isready"], "interval": "10s"},
        "depends_on": {"certificates": {"condition": "service_completed_successfully"}},
        "secrets": [{"source": "password"}],
    },
    "certificates": {"image": "openssl", "volumes": None},
    "cache": {"image": "redis", "expose": ["6379"]},
    "quiet": {"image": "nothing"},
    "nginx": {"image": "nginx", "expose": ["80"]},
}


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker whose Compose describes a file of the user's, and remembers how it was asked."""
    script = tmp_path / "bin/docker"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked; env > {tmp_path}/environment\ncat {tmp_path}/described\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    (tmp_path / "described").write_text(
        json.dumps({"services": DESCRIBED, "secrets": {"password": {"file": "/p"}}, "networks": {"back": {}}})
    )
    (tmp_path / "compose.yaml").touch()
    return tmp_path


def service(docker: Path, **said: Any) -> Service:
    return Service(**{"name": "db", "compose": str(docker / "compose.yaml"), "service": "postgres", **said})


def stack(*services: Service, state: State | None = None) -> Stack:
    lab = load_lab(ROOT, {"LOAD_CPUS": "1,3"})
    request = Request(engine="compose", needs=Needs(services, state))
    return Stack(lab, lab.select(["gunicorn", "uwsgi"]), request, Stop(), UNHEARD)


def test_a_service_is_taken_as_it_is_but_for_what_reaches_beyond_the_run(docker: Path) -> None:
    _, addition = needed(stack(service(docker)))
    assert addition.content is not None
    found = addition.content["services"]
    assert set(found) == {"app-postgres", "app-certificates"}, "with what it depends on, and nothing else"
    postgres = found["app-postgres"]
    assert postgres == {
        "image": "postgres:17",
        "environment": {"POSTGRES_PASSWORD": "a$$b"},
        "secrets": [{"source": "password"}],
        "healthcheck": {
            "test": ["CMD", "pg_isready"],
            "interval": "10s",
            "start_period": "30s",
            "start_interval": "500ms",
        },
        "depends_on": {"app-certificates": {"condition": "service_completed_successfully"}},
        "networks": {"default": {"aliases": ["postgres"]}},
        "volumes": [
            {"type": "volume", "target": "/var/lib/postgresql/data"},
            {
                "type": "bind",
                "source": "/home/you/shop/init.sql",
                "target": "/docker-entrypoint-initdb.d/init.sql",
                "read_only": True,
            },
            {"type": "tmpfs", "target": "/tmp"},
        ],
        "cpuset": "1,3",
        "attach": False,
        "labels": {"wsgilab.run": "1"},
    }
    assert addition.content["secrets"] == {"password": {"file": "/p"}}
    assert sorted(addition.services) == ["app-certificates", "app-postgres"]


def test_its_file_is_read_as_its_owner_would_read_it(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_TAG", "17")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "wsgilab-test")
    needed(stack(service(docker)))
    assert (docker / "asked").read_text() == f"compose --file {docker}/compose.yaml --profile * config --format json\n"
    environment = (docker / "environment").read_text().splitlines()
    assert "POSTGRES_TAG=17" in environment
    assert not [line for line in environment if line.startswith("COMPOSE_")]


def test_servers_are_told_where_it_is_and_the_users_own_word_wins(docker: Path) -> None:
    told, _ = needed(
        stack(
            service(docker, export={"DATABASE_URL": "postgresql://{host}:{port}/shop"}),
            service(docker, name="cache", service=None, export={"REDIS_URL": "redis://{host}:{port}"}),
        )
    )
    variables = [dict(server.app.variables) for server in told.servers if server.app]
    expected = {"DATABASE_URL": "postgresql://postgres:5432/shop", "REDIS_URL": "redis://cache:6379"}
    assert variables == [expected] * 2


def test_a_container_without_a_check_of_its_own_is_asked_by_lab_tomls_command(docker: Path) -> None:
    said = service(docker, service="cache", health=Health(command="redis-cli -p {port} ping | grep $x", timeout_s=7.5))
    _, addition = needed(stack(said))
    assert addition.content is not None
    check = addition.content["services"]["app-cache"]["healthcheck"]
    assert check["test"] == ["CMD-SHELL", "redis-cli -p 6379 ping | grep $$x"]
    assert check["start_period"] == "8s"


@pytest.mark.parametrize("order", [("cache", "queue"), ("queue", "cache")])
def test_one_that_another_depends_on_is_asked_by_its_command_all_the_same(docker: Path, order: tuple[str, str]) -> None:
    queue = {"image": "worker", "depends_on": {"cache": {"condition": "service_healthy"}}}
    (docker / "described").write_text(json.dumps({"services": {**DESCRIBED, "queue": queue}}))
    said = {"cache": Health(command="redis-cli ping"), "queue": Health()}
    services = (service(docker, name=name, service=None, health=said[name]) for name in order)
    _, addition = needed(stack(*services))
    assert addition.content is not None
    assert addition.content["services"]["app-cache"]["healthcheck"]["test"] == ["CMD-SHELL", "redis-cli ping"]


def test_each_server_has_a_volume_of_its_own_for_its_copy(docker: Path) -> None:
    _, addition = needed(stack(state=State(writes=("shop.db",))))
    assert addition.content is not None
    assert addition.services == []
    for name in ("gunicorn", "uwsgi"):
        assert addition.content["services"][name] == {
            "environment": {"LAB_APP_DIR": "/srv/scratch/app"},
            "volumes": [{"type": "volume", "source": f"scratch-{name}", "target": "/srv/scratch"}],
        }
        assert addition.content["volumes"][f"scratch-{name}"]["labels"] == {"wsgilab.run": "1"}


def test_an_app_that_needs_nothing_adds_nothing() -> None:
    asked = stack()
    told, addition = needed(asked)
    assert (told, addition.content) == (asked, None)


@pytest.mark.parametrize(
    ("said", "what", "cause"),
    [
        ({"service": "postgrez"}, "has no service 'postgrez'", "did you mean 'postgres'?"),
        ({"service": "nginx"}, "the name of one of the lab's own", "another name in its Compose file"),
        ({"service": "quiet", "export": {"A": "{port}"}}, "on which port db listens", "`port` in lab.toml"),
        ({"compose": None, "service": None, "command": "postgres"}, "is in no Compose file", "by a command only"),
        ({"compose": "/nowhere/compose.yaml"}, "There is no Compose file /nowhere/compose.yaml", "lab.toml"),
    ],
)
def test_what_cannot_be_a_container_is_refused(docker: Path, said: dict[str, Any], what: str, cause: str) -> None:
    with pytest.raises(UsageError) as refused:
        needed(stack(service(docker, **said)))
    assert what in refused.value.what
    assert cause in refused.value.cause


def test_a_file_that_compose_does_not_take_is_refused_with_its_reason(docker: Path) -> None:
    (docker / "described").unlink()
    with pytest.raises(UsageError, match=r"cannot be read as a Compose file: .*described"):
        needed(stack(service(docker)))


def test_a_container_that_has_ended_is_named(docker: Path) -> None:
    containers = [Container(service(docker), DESCRIBED["postgres"])]
    assert lost(containers, {"app-postgres": {"State": "running"}}) is None
    assert (
        lost(containers, {"app-postgres": {"State": "exited", "ExitCode": 1}})
        == "the service db ended with exit code 1"
    )
    assert lost(containers, {}) == "the service db was removed"
