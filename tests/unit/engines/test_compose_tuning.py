"""A tuning in containers: one setting runs at a time, and the host says how each ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docker_world import World, finish

from wsgilab.model.errands import Errand, What
from wsgilab.model.events import Teller
from wsgilab.model.request import Request

TUNING = Request(command="tune", engine="compose", families=("uwsgi",), seed=3, fingerprint="f1")


def asked_for_servers(world: World) -> list[str]:
    words = (" up --detach", " stop ", " restart ")
    return [line for line in world.get("asked").splitlines() if any(word in line for word in words)]


def test_of_a_tuning_one_container_runs_at_a_time(world: World) -> None:
    def errands(teller: Teller) -> None:
        for what, server in (("restart", "uwsgi-1x1"), ("restart", "uwsgi-4x2"), ("restart", "gunicorn")):
            teller.errand(Errand(What(what), server))

    world.says(errands, name="errands")
    world.says(finish("/results/a"))
    world.run(TUNING)
    first, *others = asked_for_servers(world)
    assert first.split()[-6:] == [
        "nginx",
        "nginx-exporter",
        "prometheus",
        "nginx-variants",
        "nginx-variants-exporter",
        "uwsgi-1x1",
    ]
    assert others == [
        "compose --profile more restart --timeout 1 uwsgi-1x1",
        "compose --profile more stop --timeout 1 uwsgi-1x1",
        "compose --profile more up --detach --no-deps uwsgi-4x2",
    ]
    assert [json.loads(line)["ok"] for line in world.get("answers").splitlines()] == [True, True, False]
    (removed,) = [line for line in world.get("asked").splitlines() if " rm --stop --force " in line]
    assert {"uwsgi-1x1", "uwsgi-4x2", "nginx-variants"} <= set(removed.split()), "whichever ran"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"Running": True, "OOMKilled": False}, ""),
        ({"Running": True, "OOMKilled": True}, "ran out of memory: the kernel killed a process in its container"),
        ({"Running": False, "OOMKilled": True, "ExitCode": 137}, "was killed by the kernel (out of memory)"),
        ({"Running": False, "OOMKilled": False, "ExitCode": 3}, "ended with exit code 3"),
        ([], ""),
    ],
)
def test_the_host_says_how_a_setting_ended(world: World, state: object, said: str) -> None:
    world.set("state", json.dumps(state))
    world.says(lambda teller: teller.errand(Errand(What.ENDED, "uwsgi-1x1")), name="errands")
    world.says(finish("/results/a"))
    world.run(TUNING)
    assert json.loads(world.get("answers"))["text"] == said


def test_a_setting_is_no_service_that_docker_starts_again(world: World) -> None:
    stack = world.stack(TUNING)
    assert {stack.lab.services[server.name]["restart"] for server in stack.servers} == {"no"}


def test_a_tuning_that_goes_on_does_so_in_its_own_folder(world: World, tmp_path: Path) -> None:
    world.says(finish("/results/before"))
    ended = world.run(TUNING.but(resume=str(tmp_path / "mine/before")))
    inside = Request.from_json(world.get("request"))
    assert (inside.resume, inside.fingerprint) == ("/results/before", "f1")
    assert ended.folder == str(tmp_path / "mine/before")
