"""Reports are passed on: no value of a secret, no home folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from factories import manifest, window

from wsgilab import api
from wsgilab.model.manifest import Manifest, ServerEntry
from wsgilab.model.privacy import private, without_home, without_values
from wsgilab.results.folder import RunFolder

ROOTS_HOME = "/root"


def entry(**said: object) -> ServerEntry:
    """A server after its manifest was made private."""
    return private(Manifest(servers=(ServerEntry("gunicorn", **said),))).servers[0]  # type: ignore[arg-type]


SECRETS = (
    "SECRET_KEY DB_PASSWORD db_password API_KEY APIKEY GITHUB_TOKEN AWS_SECRET_ACCESS_KEY SENTRY_DSN DATABASE_URL "
    "BASIC_AUTH SESSION_COOKIE KEY MYSQL_PWD GOOGLE_CREDENTIALS"
)
NO_SECRETS = "GUNICORN_WORKERS AUTHOR LAB_APP KEYBOARD MONKEY_PATCH PYTHONPATH GUNICORN_CMD_ARGS PWD_X"


@pytest.mark.parametrize("name", SECRETS.split())
def test_a_secret_is_hidden_wherever_its_setting_stands(name: str) -> None:
    found = entry(
        pattern=f"Gunicorn: {name}=hunter2",
        command=f"gunicorn --env {name}=hunter2 --raw hunter2 app:app",
        environment={name: "hunter2", "LAB_APP": "app:app"},
    )
    assert found.environment == {name: "***", "LAB_APP": "app:app"}
    assert found.pattern == f"Gunicorn: {name}=***"
    assert found.command == f"gunicorn --env {name}=*** --raw *** app:app"


@pytest.mark.parametrize("name", NO_SECRETS.split())
def test_what_is_no_secret_stays(name: str) -> None:
    found = entry(pattern=f"Gunicorn: {name}=8", environment={name: "8"})
    assert (found.pattern, found.environment) == (f"Gunicorn: {name}=8", {name: "8"})


def test_a_password_in_an_address_is_hidden_and_its_user_is_not() -> None:
    found = entry(environment={"BROKER": "redis://app:hunter2@host:6379/0", "PLAIN": "http://host:80/a@b"})
    assert found.environment == {"BROKER": "redis://app:***@host:6379/0", "PLAIN": "http://host:80/a@b"}


def test_an_empty_secret_and_a_short_one_do_not_change_words() -> None:
    found = entry(command="a gunicorn", environment={"TOKEN": "", "KEY": "a"})
    assert (found.command, found.environment) == ("a gunicorn", {"TOKEN": "", "KEY": "***"})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ann/lab/.venv/bin/python -m gunicorn", "~/lab/.venv/bin/python -m gunicorn"),
        ("--config=/Users/ann/x.py -I/home/ann", "--config=~/x.py -I~"),
        (f"{ROOTS_HOME}/bin/python", "~/bin/python"),
        ("C:\\Users\\Ann\\lab", "~\\lab"),
        ("/srv/home/ann", "/srv/home/ann"),
        ("/rooted /home", "/rooted /home"),
        ("/data/people/ann/lab", "~/lab"),
        ("/data/people/anna", "/data/people/anna"),
    ],
)
def test_nobody_is_at_home_in_a_command(text: str, shown: str) -> None:
    found = private(Manifest(servers=(ServerEntry("x", command=text),)), home="/data/people/ann")
    assert found.servers[0].command == shown


@pytest.mark.parametrize("home", ["", "/", "~"])
def test_a_home_that_is_none_is_not_looked_for(home: str) -> None:
    assert without_home("/a / b", home) == "/a / b"


def test_a_page_below_home_is_a_page() -> None:
    assert private(Manifest(workload="/home/news?token=1")).workload == "/home/news?token=1"


@pytest.mark.parametrize(
    ("name", "value", "text", "told"),
    [
        ("GREETING", "not-a-word-of-it", "said not-a-word-of-it twice: not-a-word-of-it", "said *** twice: ***"),
        ("DB_PASSWORD", "pw12", "password pw12 refused", "password *** refused"),
        ("LOG_LEVEL", "debug", "debug: starting", "debug: starting"),
        ("CERT", "-----BEGIN-----\nMIIBIjANBgkq\n-----END-----", "loaded MIIBIjANBgkq", "loaded ***"),
        ("EMPTY_TOKEN", "", "nothing", "nothing"),
    ],
)
def test_a_value_that_an_app_was_given_is_hidden_in_what_it_writes(name: str, value: str, text: str, told: str) -> None:
    assert without_values(text, {name: value}) == told


def test_of_two_values_the_one_that_holds_the_other_is_hidden_whole() -> None:
    given = {"USER_NAME": "shop-user", "DSN_TEXT": "db://shop-user:8"}
    assert without_values("db://shop-user:8 and shop-user", given) == "*** and ***"


def test_reports_of_an_older_manifest_hide_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/data/people/ann")
    folder = RunFolder.create(tmp_path / "run")
    folder.append(replace(window("gunicorn"), notes=("see /data/people/ann/lab/log",)))
    said = manifest(workload="mix").to_json()
    server = {
        "name": "gunicorn",
        "pattern": "Gunicorn: DB_PASSWORD=hunter2",
        "command": "/home/ann/.venv/bin/gunicorn hunter2",
        "environment": {"DB_PASSWORD": "hunter2"},
    }
    (folder.path / "manifest.json").write_text(json.dumps({**said, "servers": [server], "engine_why": "/home/ann"}))
    _, problems = folder.read_manifest()
    assert problems == []
    api.report(folder.path)
    for name in ("verdict.json", "report.md", "report.html"):
        text = (folder.path / name).read_text()
        assert "hunter2" not in text
        assert "/ann" not in text
    assert "~/.venv/bin/gunicorn ***" in (folder.path / "report.html").read_text()
