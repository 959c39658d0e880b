"""The images of a run in containers: pulled or built where they are missing, and once more where one was lost."""

from __future__ import annotations

import json

import pytest
from docker_world import CLICKS, REQUEST, World

from wsgilab.engines import choice, compose
from wsgilab.engines.stack import LOST_LAYER
from wsgilab.errors import MissingError

LOSES_A_LAYER = f'echo "{LOST_LAYER} xy: parent snapshot z does not exist" >&2; '


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


def test_the_browsers_image_is_wanted_for_clicks_and_for_nothing_else(world: World) -> None:
    services = {name: {"image": name, "build": {}} for name in compose.IMAGES}
    world.set("config.json", json.dumps({"services": {**services, "browser": {"image": "missing", "build": {}}}}))
    assert compose.prepare_images(world.stack(REQUEST)) is None
    assert " build " not in world.get("asked")
    assert compose.prepare_images(world.stack(CLICKS)) is None
    assert "compose --profile browser build browser" in world.get("asked").splitlines()


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
