"""What a run in containers brings along, and what it leaves: an app's services, copies of its folder, a browser."""

from __future__ import annotations

import json
from pathlib import Path

from docker_world import CLICKS, REQUEST, World, finish
from support import ROOT

from wsgilab.model.errands import Errand, What
from wsgilab.model.events import Teller
from wsgilab.model.needs import Needs, Service, State
from wsgilab.model.request import Request


def test_what_an_app_needs_comes_before_the_servers_and_goes_after_them(world: World, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").touch()
    stock = {"image": "stock", "expose": ["7000"], "depends_on": {"seed": {"condition": "service_started"}}}
    world.set("config.json", json.dumps({"name": "project", "services": {"stock": stock, "seed": {"image": "seed"}}}))
    world.set("running", "app-seed\n")  # left by a run that was killed: no reason to leave anything
    needs = Needs(
        (
            Service(
                "stock", compose=str(tmp_path / "compose.yaml"), export={"STOCK_URL": "http://s3cret@{host}:{port}"}
            ),
        ),
        State(setup="make seed", reset="make reset"),
    )

    def errands(teller: Teller) -> None:
        for what, server in ((What.RESET, "uwsgi"), (What.RESET, "dev"), (What.SERVICES, "")):
            teller.errand(Errand(what, server))

    world.says(errands, name="errands")
    world.says(finish("/results/a"))
    world.run(REQUEST.but(needs=needs))
    asked = world.get("asked").splitlines()

    def place(words: str) -> int:
        return next(number for number, line in enumerate(asked) if words in line)

    order = (
        *("renew-anon-volumes app-stock", "copy_app.py", "import os, wsgi"),
        *("--wait-timeout 120 nginx", "carry-out", "exec -T"),
    )
    assert [place(words) for words in order] == sorted(place(words) for words in order)
    assert (
        place("rm --stop --force nginx")
        < place("rm --stop --force --volumes app-stock app-seed")
        < place("compose down")
    )
    assert world.get("tasks").split("\n") == ["", "make seed", "", "make seed", ""], "a copy, then its setup, for each"
    assert [json.loads(line)["ok"] for line in world.get("answers").splitlines()] == [True, False, True]
    request = world.get("request")
    assert "s3cret" not in request
    assert str(tmp_path / "compose.yaml") not in request
    assert Request.from_json(request).needs.services[0].export == {"STOCK_URL": ""}


def test_what_a_killed_run_left_is_ended_before_anything_starts(world: World) -> None:
    world.set("config.json", json.dumps({"name": "project", "services": {}}))
    world.set("left", "project-app-stock-1\nwsgilab-run-7\n")
    world.says(finish("/results/a"))
    world.run(REQUEST)
    asked = world.get("asked").splitlines()
    (look,) = [number for number, line in enumerate(asked) if line.startswith("ps --all")]
    assert "label=wsgilab.run" in asked[look]
    assert "label=com.docker.compose.project=project" in asked[look]
    assert asked[look + 1] == "rm --force --volumes project-app-stock-1 wsgilab-run-7"
    assert look < next(number for number, line in enumerate(asked) if "up --detach" in line)
    (measured,) = [line for line in asked if line.endswith("carry-out")]
    assert "--label wsgilab.run=1 runner" in measured, "so that it is found where it goes on by itself"


def test_where_nothing_is_left_nothing_is_removed(world: World) -> None:
    world.set("config.json", json.dumps({"name": "project", "services": {}}))
    world.says(finish("/results/a"))
    world.run(REQUEST)
    assert "rm --force --volumes" not in world.get("asked")


def test_clicks_are_carried_out_by_the_container_that_has_a_browser(world: World) -> None:
    world.says(finish("/results/there"))
    assert world.run(CLICKS).folder == str(ROOT / "results/there")
    (measured,) = [line for line in world.get("asked").splitlines() if line.endswith("carry-out")]
    assert measured.endswith(" browser carry-out")
    request = Request.from_json(world.get("request"))
    assert (request.command, request.engine, request.clicks) == ("vitals", "attached", 2)
    world.run(REQUEST)
    assert world.get("asked").splitlines()[-1] != measured
    assert " runner carry-out" in world.get("asked")


def test_the_clicks_of_an_app_are_described_in_its_folder_as_the_container_has_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "lab.toml").touch()
    world.says(finish("/results/there"))
    world.run(CLICKS.but(app_dir=str(tmp_path), vitals=str(tmp_path / "lab.toml")))
    assert Request.from_json(world.get("request")).vitals == "/srv/app/lab.toml"
