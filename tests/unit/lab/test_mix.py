"""What is asked of an app without load is what k6 would send: the same paths, headers and bodies."""

from __future__ import annotations

from pathlib import Path

from wsgilab.lab.mix import Step, described, drafted, filled_all
from wsgilab.model.checkup import Question

TOML = """
[traffic]
follow_redirects = true
login_data = [{user = "ann"}]

[[login]]
path = "/login"
method = "POST"
form = {user = "{user}", csrf = "{csrf}"}
save = {csrf = 'value="([^"]+)"'}

[[requests]]
name = "order"
method = "POST"
path = "/items/{item}/orders"
headers = {X-User = "{user}"}
json = {item = "{item}", note = "no. {item}", csrf = "{csrf}"}
data = [{item = "a b"}, {item = 2}]
expect = {status = 201, text = "ordered"}

[[requests]]
name = "look"
path = "/"
"""


def test_a_lab_toml_becomes_steps_that_can_be_sent(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text(TOML)
    mix = described(tmp_path / "lab.toml")
    order, look = mix.questions
    assert order == Question("order", "POST", "/items/{item}/orders", (201,), "ordered")
    assert 302 in look.statuses, "redirects are followed under load"
    assert 204 in look.statuses
    step = mix.steps[0]
    values = {**mix.user, "csrf": "t0k3n", **step.row}
    assert step.full_path(values) == "/items/a%20b/orders"
    assert step.all_headers(values) == {"Content-Type": "application/json", "X-User": "ann"}
    assert step.body(values) == b'{"item": "a b", "note": "no. a b", "csrf": "t0k3n"}'
    assert mix.login[0].body({"user": "ann", "csrf": "x"}) == b"user=ann&csrf=x"
    assert mix.login[0].all_headers({})["Content-Type"] == "application/x-www-form-urlencoded"
    assert mix.steps[1].body({}) is None


def test_a_number_stays_one_and_what_nothing_fills_stays_too() -> None:
    assert filled_all({"a": ["{n}", "n {n} {m}"]}, {"n": 2}) == {"a": [2, "n 2 {m}"]}
    assert Step("GET", "/{n}/{m}").full_path({"n": 2}) == "/2/{m}"
    assert Step("PUT", "/", content={"body_base64": "AAE="}).body({}) == b"\x00\x01"


def test_routes_become_a_get_each() -> None:
    routes = [
        {"rule": "/items/<int:item>", "methods": ["GET", "HEAD", "POST"], "converters": {"item": "int"}},
        {"rule": "/orders", "methods": ["POST"], "converters": {}},
    ]
    mix = drafted(routes, "shop:app")
    assert mix.questions == (Question("GET /items/{item}", "GET", "/items/{item}", drafted=True),)
    assert mix.steps[0].full_path(mix.steps[0].row) == "/items/1"
    assert [question.path for question in drafted([], "shop:app").questions] == ["/"]
