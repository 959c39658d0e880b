"""A visitor logs in, keeps its session, and is another one the second time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
import werkzeug.serving

from wsgilab.errors import ServerError
from wsgilab.lab import mix
from wsgilab.machine.waiting import Stop
from wsgilab.measure import asking
from wsgilab.measure.asking import Visitor

TOML = """
[traffic]
login_data = [{user = "ann"}]

[[login]]
path = "/login"
method = "POST"
form = {user = "{user}"}
save = {token = 'token ([0-9]+)'}

[[requests]]
name = "look"
path = "/of/{token}"

[[requests]]
name = "buy"
method = "POST"
path = "/buy"
json = {token = "{token}"}
"""
NUMBERS = iter(range(100, 1000))


def shop() -> flask.Flask:
    app = flask.Flask("shop")
    app.secret_key = "for this test"
    asked: list[str] = []

    @app.post("/login")
    def login() -> flask.typing.ResponseReturnValue:
        if flask.request.form["user"] != "ann":
            return "who?", 403
        flask.session["token"] = str(next(NUMBERS))
        return flask.redirect("/home")

    @app.get("/home")
    def home() -> str:
        return f"token {flask.session['token']}"

    @app.get("/of/<token>")
    def look(token: str) -> flask.typing.ResponseReturnValue:
        return (f"yours: {token}", 200) if token == flask.session.get("token") else ("no", 403)

    @app.post("/buy")
    def buy() -> str:
        asked.append("buy")
        return f"{flask.request.get_json()['token']} bought {len(asked)}"

    return app


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(asking, "APART_S", 0.0)
    monkeypatch.setattr("wsgilab.machine.exchanges.EARLY_S", 0.01)
    server = werkzeug.serving.make_server("127.0.0.1", 0, shop(), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def described(folder: Path, text: str = TOML) -> mix.Mix:
    (folder / "lab.toml").write_text(text)
    return mix.described(folder / "lab.toml")


def test_two_visitors_ask_each_in_a_session_of_its_own(url: str, tmp_path: Path) -> None:
    look, buy = Visitor(url, described(tmp_path), 2, Stop()).ask_everything()
    first, second = look.plain
    assert (first.status, second.status) == (200, 200)
    assert first.body != second.body, "what belongs to a session is told from what belongs to a server"
    assert look.forwarded
    assert look.forwarded.body == first.body, "the first visitor goes on"
    assert [answer.body.partition(" ")[2] for answer in buy.plain] == ["bought 1", "bought 2"]
    assert (buy.forwarded, buy.together) == (None, ()), "who may change something is asked no more than twice"


def test_a_login_that_is_refused_is_told_with_its_step(url: str, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"login: step 1 \(POST /login\) was answered 403"):
        Visitor(url, described(tmp_path, TOML.replace('"ann"', '"bob"')), 2, Stop()).ask_everything()


def test_without_a_witness_there_are_no_routes(url: str) -> None:
    assert asking.routes_at(url) == []
