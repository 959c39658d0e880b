"""What passes between `./lab` and the runner in its container, with a docker command that is a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from factories import window
from support import ROOT

from wsgilab.engines import choice, compose, diagnosis
from wsgilab.engines.stack import LOST_LAYER, Stack
from wsgilab.engines.start_failure import NEVER_IMPORTED
from wsgilab.errors import Interrupted, LabError, MissingError, ServerError, UsageError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.measure.tuning import question_of, with_settings
from wsgilab.model.errands import Errand, What
from wsgilab.model.events import Ended, Teller
from wsgilab.model.listener import Listener
from wsgilab.model.manifest import Manifest
from wsgilab.model.needs import Needs, Service, State
from wsgilab.model.request import Request
from wsgilab.model.server import App
from wsgilab.model.window import Window

DOCKER = """#!/bin/sh
echo "$*" >> "$FAKE/asked"
case "$*" in
    version*) echo 28.0.0 ;;
    *"config --format json"*) cat "$FAKE/config.json" ;;
    "image inspect missing"*) exit 1 ;;
    *"compose build"* | *" build browser") echo "building" >&2; . "$FAKE/build" ;;
    *" restart --timeout 1 "* | *" stop "*) ;;
    *" ps --all --quiet "*) echo c0ffee ;;
    inspect*) cat "$FAKE/state" ;;
    "ps --all"*) cat "$FAKE/left" ;;
    *"up --detach --no-deps"*) exit "$(cat "$FAKE/starts")" ;;
    *" logs "*) echo "Traceback"; echo "KeyError: 'price'" ;;
    *"ps --services"*) cat "$FAKE/running" ;;
    *"import os, wsgi"*) cat "$FAKE/import"; exit "$(cat "$FAKE/imported")" ;;
    *"run --rm"*" -e LAB_TASK "*) printenv LAB_TASK >> "$FAKE/tasks" ;;
    *"up --detach"*) env > "$FAKE/environment"; echo " Container up" >&2; exit "$(cat "$FAKE/up")" ;;
    *"run --rm"*)
        printenv LAB_REQUEST > "$FAKE/request"
        echo " Container runner  Created" >&2
        while read -r errand <&3; do
            printf '%s\\n' "$errand"
            read -r answer
            printf '%s\\n' "$answer" >> "$FAKE/answers"
        done 3< "$FAKE/errands"
        cat "$FAKE/said"
        exit "$(cat "$FAKE/code")" ;;
esac
"""


class Heard(Listener):
    """Remembers lines and windows."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.windows: list[Window] = []

    def output(self, line: str) -> None:
        self.lines.append(line)

    def window_measured(self, window: Window) -> None:
        self.windows.append(window)


class World:
    """A machine with a docker that does as it is told here."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.listener = Heard()
        self.stop = Stop()
        (folder / "bin").mkdir()
        (folder / "bin/docker").write_text(DOCKER)
        (folder / "bin/docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
        monkeypatch.setenv("FAKE", str(folder))
        services = {name: {"image": name, "build": {}} for name in compose.IMAGES}
        self.set("config.json", json.dumps({"services": services}))
        for name, text in (
            ("running", ""),
            ("up", "0"),
            ("build", ""),
            ("code", "0"),
            ("said", ""),
            ("errands", ""),
            ("import", ""),
            ("imported", "0"),
            ("state", "{}"),
            ("starts", "0"),
            ("left", ""),
        ):
            self.set(name, text)

    def set(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def get(self, name: str) -> str:
        return (self.folder / name).read_text()

    def says(self, tell: Callable[[Teller], object], name: str = "said") -> None:
        lines: list[str] = []
        tell(Teller(lines.append))
        self.set(name, "".join(f"{line}\n" for line in lines))

    def stack(self, request: Request) -> Stack:
        lab = load_lab(ROOT, request.variables)
        if request.command == "tune":
            lab, servers = with_settings(lab, question_of(request, lab, request.families[0]))
        else:
            servers = lab.select(request.servers)
        return Stack(lab, servers, request, self.stop, self.listener)

    def run(self, request: Request) -> Ended:
        return compose.run_inside(self.stack(request))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


REQUEST = Request(engine="compose", servers=("gunicorn", "uwsgi"), seed=3, settings={"GUNICORN_WORKERS": "8"})
WINDOW = window("gunicorn")


def finish(folder: str | None, trouble: LabError | Interrupted | None = None) -> Callable[[Teller], None]:
    def tell(teller: Teller) -> None:
        teller.window_measured(WINDOW)
        teller.ended(Ended(Manifest(command="run"), folder, trouble))

    return tell


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
    last = world.get("asked").splitlines()[-1]
    assert last == "compose --profile more up --detach --wait --no-deps gunicorn"
    assert "GUNICORN_WORKERS=8" in world.get("environment"), "its ports and settings are the same"
    told = dict(line.split("=", 1) for line in world.get("environment").splitlines() if "=" in line)
    assert "LAB_APP_DIR" not in told
    world.run(REQUEST)
    assert world.get("asked").splitlines()[-1] != last, "the same app: nothing to put back"


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


@pytest.mark.parametrize(("engine", "code", "chosen"), [("compose", "0", "compose"), ("auto", "1", "local")])
def test_an_engine_whose_images_cannot_be_had_is_not_chosen(world: World, engine: str, code: str, chosen: str) -> None:
    services = {name: {"image": "missing", "build": {}} for name in compose.IMAGES}
    world.set("config.json", json.dumps({"services": services}))
    world.set("build", f"exit {code}")
    found, why = choice.choose(world.stack(REQUEST.but(engine=engine)))
    assert found == chosen
    assert ("`docker compose build` failed" in why) is (code == "1")
    assert "building" in world.listener.lines
    if code == "1":
        with pytest.raises(MissingError, match="building"):
            choice.choose(world.stack(REQUEST))


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

# ── a browser in a container of its own ─────────────────────────────────────────────────────────────────────────────

CLICKS = REQUEST.but(command="vitals", rates_rps=(0.0, 100.0), clicks=2)


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


def test_the_browsers_image_is_wanted_for_clicks_and_for_nothing_else(world: World) -> None:
    services = {name: {"image": name, "build": {}} for name in compose.IMAGES}
    world.set("config.json", json.dumps({"services": {**services, "browser": {"image": "missing", "build": {}}}}))
    assert compose.prepare_images(world.stack(REQUEST)) is None
    assert " build " not in world.get("asked")
    assert compose.prepare_images(world.stack(CLICKS)) is None
    assert "compose --profile browser build browser" in world.get("asked").splitlines()


LOSES_A_LAYER = f'echo "{LOST_LAYER} xy: parent snapshot z does not exist" >&2; '


@pytest.mark.parametrize(
    ("build", "times", "there"),
    [
        (LOSES_A_LAYER + 'echo "exit 0" > "$FAKE/build"; exit 1', 2, True),
        (LOSES_A_LAYER + "exit 1", 2, False),
        (LOSES_A_LAYER + "exit 0", 1, True),
        ('echo "no space left" >&2; exit 1', 1, False),
    ],
)
def test_a_layer_that_the_engine_lost_is_asked_for_once_more(world: World, build: str, times: int, there: bool) -> None:
    services = {name: {"image": "missing", "build": {}} for name in compose.IMAGES}
    world.set("config.json", json.dumps({"services": services}))
    world.set("build", build)
    assert (compose.prepare_images(world.stack(REQUEST)) is None) is there
    assert world.get("asked").count("compose build") == times


def test_the_clicks_of_an_app_are_described_in_its_folder_as_the_container_has_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "lab.toml").touch()
    world.says(finish("/results/there"))
    world.run(CLICKS.but(app_dir=str(tmp_path), vitals=str(tmp_path / "lab.toml")))
    assert Request.from_json(world.get("request")).vitals == "/srv/app/lab.toml"


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
