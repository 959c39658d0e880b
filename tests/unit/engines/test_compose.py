"""What passes between `./lab` and the runner in its container, with a docker command that is a script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from docker_world import REQUEST, WINDOW, World, finish

from wsgilab.engines import compose, diagnosis
from wsgilab.engines.start_failure import NEVER_IMPORTED
from wsgilab.errors import Interrupted, LabError, MissingError, ServerError, UsageError
from wsgilab.model.errands import Errand, What
from wsgilab.model.events import Teller
from wsgilab.model.request import Request
from wsgilab.model.server import App
from wsgilab.model.window import Window


def test_the_runner_gets_the_same_request_for_places_of_its_own(world: World, tmp_path: Path) -> None:
    world.says(finish("/results/mine"))
    asked = REQUEST.but(
        out=str(tmp_path / "runs/mine"), app="shop:app", app_dir="/home/you/shop", results="/r", prometheus=True
    )
    ended = world.run(asked)
    inside = Request.from_json(world.get("request"))
    assert inside == asked.but(engine="attached", out="/results/mine", app_dir=None, results=None, prometheus=False)
    assert (ended.folder, ended.windows) == (str(tmp_path / "runs/mine"), (WINDOW,))
    assert world.listener.windows == [WINDOW]
    assert " Container runner  Created" in world.listener.lines


def test_servers_that_ran_before_serve_their_own_app_again(world: World, tmp_path: Path) -> None:
    world.set("running", "gunicorn\nnginx\n")
    world.says(finish("/results/mine"))
    world.run(REQUEST.but(app="shop:app", app_dir=str(tmp_path)))
    put_back = "compose --profile more up --detach --wait --no-deps gunicorn"
    assert world.get("asked").count(put_back) == 1
    assert "GUNICORN_WORKERS=8" in world.get("environment"), "its ports and settings are the same"
    told = dict(line.split("=", 1) for line in world.get("environment").splitlines() if "=" in line)
    assert "LAB_APP_DIR" not in told
    world.run(REQUEST)
    assert world.get("asked").count(put_back) == 1, "the same app: nothing to put back"


def test_compose_is_told_what_the_request_says_and_nothing_of_the_settings_around_it(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UWSGI_THREADS", "64")
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere")
    world.says(finish("/results/a"))
    world.run(REQUEST.but(results=str(tmp_path / "results"), app_dir="/home/you/shop"))
    told = dict(line.partition("=")[::2] for line in world.get("environment").splitlines())
    assert (told["GUNICORN_WORKERS"], told["LAB_APP_DIR"]) == ("8", "/home/you/shop")
    assert (told["LAB_RESULTS_DIR"], told["DOCKER_HOST"]) == (str(tmp_path / "results"), "unix:///elsewhere")
    assert "UWSGI_THREADS" not in told


@pytest.mark.parametrize(
    ("running", "undone"),
    [
        ("", ["rm --stop --force nginx nginx-exporter prometheus gunicorn uwsgi", "compose down"]),
        ("nginx\nprometheus\n", ["rm --stop --force nginx-exporter gunicorn uwsgi"]),
    ],
)
def test_what_ran_before_runs_on(world: World, running: str, undone: Sequence[str]) -> None:
    world.set("running", running)
    world.says(finish("/results/a"))
    world.run(REQUEST)
    asked = world.get("asked")
    assert all(command in asked for command in undone)
    assert ("compose down" in asked) is ("compose down" in undone)


def test_a_request_that_no_container_can_be_told_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match=r"longer than 120,000 bytes"):
        world.run(REQUEST.but(settings={"LAB_APP": "a" * 130_000}))


def test_results_in_a_volume_are_in_no_folder_of_this_machine(world: World) -> None:
    world.says(finish("/spare/20260101T000000Z-run"))
    assert world.run(REQUEST).folder is None


@pytest.mark.parametrize("trouble", [Interrupted(), MissingError("No room.", "the disk is full", "df -h")])
def test_why_it_ended_early_comes_with_what_was_measured(world: World, trouble: LabError | Interrupted) -> None:
    world.says(finish("/results/a", trouble))
    ended = world.run(REQUEST)
    assert (type(ended.trouble), str(ended.trouble)) == (type(trouble), str(trouble))
    assert len(ended.windows) == 1


@pytest.mark.parametrize(
    ("said", "code", "what", "next_command"),
    [
        ("", "2", "does not understand this ./lab", "docker compose build"),
        ('{"lab":"danced","content":1}\n', "0", "does not understand this ./lab", "docker compose build"),
        ("", "137", "was killed before it was done", "LOAD_MEMORY=4g ./lab run --engine compose"),
    ],
)
def test_a_runner_without_a_last_word_is_explained(
    world: World, said: str, code: str, what: str, next_command: str
) -> None:
    world.set("said", said)
    world.set("code", code)
    with pytest.raises(LabError, match=what) as error:
        world.run(REQUEST)
    assert error.value.next_command == next_command
    assert "compose down" in world.get("asked"), "what was started is stopped"


def test_servers_that_do_not_come_up_end_it_with_what_compose_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "require_free", lambda _ports: None)  # a lab that runs here has some of them
    world.set("up", "1")
    with pytest.raises(LabError, match="could not bring the servers up") as error:
        world.run(REQUEST)
    assert "  |  Container up" in error.value.what
    assert "carry-out" not in world.get("asked")


@pytest.mark.parametrize(
    ("code", "what"), [("1", "The app cannot be loaded, and no server was started."), ("124", NEVER_IMPORTED)]
)
def test_an_app_that_no_server_could_serve_is_refused_before_any_starts(world: World, code: str, what: str) -> None:
    world.set("import", "LAB_APP=asgi:app cannot be served: it is an ASGI app\n")
    world.set("imported", code)
    with pytest.raises(ServerError) as error:
        world.run(REQUEST)
    assert error.value.what.splitlines()[0] == what
    assert "it is an ASGI app" in error.value.what
    assert error.value.next_command == "./lab run --engine compose --servers gunicorn --quick"
    assert "up --detach" not in world.get("asked")
    assert "compose down" in world.get("asked")


def test_an_app_that_is_made_for_one_server_may_fail_elsewhere(world: World) -> None:
    world.set("import", "ModuleNotFoundError: No module named 'uwsgi'\n")
    world.set("imported", "1")
    world.says(finish("/results/a"))
    assert world.run(REQUEST).folder


def test_a_listener_that_raises_ends_the_run_and_nothing_is_left(world: World) -> None:
    world.says(finish("/results/a"))

    def refuse(_window: Window) -> None:
        raise ValueError("a fault of the listener")

    world.listener.window_measured = refuse  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="a fault of the listener"):
        world.run(REQUEST)
    assert "compose down" in world.get("asked")


def test_a_request_to_stop_ends_it_before_anything_is_measured(world: World) -> None:
    world.stop.request()
    world.says(finish("/results/a"))
    with pytest.raises(Interrupted):
        world.run(REQUEST)


def test_the_host_does_the_runners_errands_for_servers_of_the_run_and_no_others(world: World) -> None:
    def errands(teller: Teller) -> None:
        for what, server in (("restart", "uwsgi"), ("log", "gunicorn"), ("restart", "prometheus"), ("log", "dev")):
            teller.errand(Errand(What(what), server))

    world.says(errands, name="errands")
    world.says(finish("/results/a"))
    world.run(REQUEST)
    assert [json.loads(line) for line in world.get("answers").splitlines()] == [
        {"ok": True, "text": ""},
        {"ok": True, "text": "Traceback\nKeyError: 'price'\n"},
        {"ok": False, "text": ""},
        {"ok": False, "text": ""},
    ]
    asked = [line for line in world.get("asked").splitlines() if " restart " in line or " logs " in line]
    assert asked == [
        "compose --profile more restart --timeout 3 uwsgi",
        "compose --profile more logs --no-color --no-log-prefix --tail 40 gunicorn",
    ]


def test_what_an_app_was_given_is_in_no_log_that_the_runner_gets(world: World) -> None:
    world.says(lambda teller: teller.errand(Errand(What.LOG, "gunicorn")), name="errands")
    world.says(finish("/results/a"))
    stack = world.stack(REQUEST)
    app = App(str(stack.lab.app_dir), variables={"COLUMN": "KeyError: 'price'"})
    compose.run_inside(replace(stack, servers=[replace(server, app=app) for server in stack.servers]))
    (answer,) = world.get("answers").splitlines()
    assert json.loads(answer)["text"] == "Traceback\n***\n"
