"""Ready files hold the setting that was recommended, and can be read by what they are for."""

from __future__ import annotations

import configparser
import json
from dataclasses import replace

import pytest
from simulated_apps import NAMED, question_for
from tuned_folder import tuning_of

from wsgilab.model.tuning import Setting
from wsgilab.reports.entry_file import entry_of
from wsgilab.reports.ready_files import of_tuning, ready_files
from wsgilab.reports.server_conf import Basis

BASIS = Basis("shop:app", "4 sync workers: keeps p99<250ms up to 171 rps (160–182).", 1, 512.0, 118.0)
SYNC_4, UWSGI_3X4 = Setting("gunicorn", "sync", 4), Setting("uwsgi", "", 3, 4)


def gunicorn_conf(setting: Setting) -> dict[str, object]:
    values: dict[str, object] = {}
    exec(ready_files(setting, BASIS)["gunicorn.conf.py"], values)
    return {name: value for name, value in values.items() if not name.startswith("_")}


def command_of(files: dict[str, str]) -> list[str]:
    (line,) = [line for line in files["Dockerfile.cmd"].splitlines() if line.startswith("CMD ")]
    words: list[str] = json.loads(line.removeprefix("CMD "))
    return words


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (SYNC_4, {"worker_class": "sync", "workers": 4}),
        (Setting("gunicorn", "gthread", 2, 8), {"worker_class": "gthread", "workers": 2, "threads": 8}),
        (Setting("gunicorn", "gevent", 2, 1000), {"worker_class": "gevent", "workers": 2, "worker_connections": 1000}),
    ],
    ids=lambda value: value.name if isinstance(value, Setting) else "",
)
def test_gunicorn_is_set_as_it_was_measured(setting: Setting, expected: dict[str, object]) -> None:
    conf = gunicorn_conf(setting)
    assert expected.items() <= conf.items()
    assert ("threads" in conf) == (setting.kind == "gthread")
    assert ("keepalive" in conf) == (setting.kind != "sync")


def test_uwsgi_is_set_as_it_was_measured() -> None:
    ini = configparser.ConfigParser(inline_comment_prefixes=None, comment_prefixes=(";",))
    ini.read_string(ready_files(UWSGI_3X4, BASIS)["uwsgi.ini"])
    own = ini["uwsgi"]
    assert (own["processes"], own["threads"], own["module"]) == ("3", "4", "shop:app")


def test_a_port_of_the_uwsgi_protocol_is_in_no_file() -> None:
    text = "".join(ready_files(UWSGI_3X4, BASIS).values())
    assert "0.0.0.0" not in text
    assert "socket = /" in text


def test_nothing_but_a_container_listens_beyond_this_machine() -> None:
    files = ready_files(SYNC_4, BASIS)
    assert [name for name, text in files.items() if "0.0.0.0" in text] == ["Dockerfile.cmd"]


def test_connections_to_the_server_are_kept_only_where_it_keeps_them() -> None:
    kept = {
        name: "keepalive 16" in ready_files(Setting(*name), BASIS)["nginx.conf"]
        for name in (("gunicorn", "sync", 4), ("gunicorn", "gthread", 2, 8), ("uwsgi", "", 4, 2))
    }
    assert list(kept.values()) == [False, True, False]


def test_one_process_with_threads_takes_no_turns() -> None:
    assert "thunder-lock" not in ready_files(Setting("uwsgi", "", 1, 8), BASIS)["uwsgi.ini"]
    assert "thunder-lock" in ready_files(Setting("uwsgi", "", 2, 8), BASIS)["uwsgi.ini"]


def test_the_command_of_the_dockerfile_is_a_list() -> None:
    expected = ["gunicorn", "--config", "gunicorn.conf.py", "--bind", "0.0.0.0:8000", "shop:app"]
    assert command_of(ready_files(SYNC_4, BASIS)) == expected


def test_every_file_begins_with_what_was_measured_and_where() -> None:
    for setting in (SYNC_4, UWSGI_3X4):
        for name, text in ready_files(setting, BASIS).items():
            first, second = text.splitlines()[:2]
            assert first[2:] == BASIS.said, name
            assert "on 1 CPU with 512 MB" in second, name


def test_a_unit_may_use_what_the_tuning_allowed_and_tells_what_was_seen() -> None:
    unit = ready_files(SYNC_4, replace(BASIS, allowed_mb=512 * 2**20 / 1e6))["app.service"]
    assert "MemoryMax=512M" in unit, "systemd's M is 1,048,576 bytes"
    assert "118 MB were seen" in unit
    assert "MemoryMax" not in ready_files(SYNC_4, replace(BASIS, allowed_mb=None))["app.service"]


def test_a_factory_gets_a_file_that_calls_it() -> None:
    files = ready_files(SYNC_4, replace(BASIS, app='shop.web:create_app("test", debug=False)'))
    assert "from shop.web import create_app" in files["serve_app.py"]
    assert "application = create_app('test', debug=False)" in files["serve_app.py"]
    assert command_of(files)[-1] == "serve_app:application"
    assert "COPY gunicorn.conf.py serve_app.py ./" in files["Dockerfile.cmd"]


@pytest.mark.parametrize(
    ("app", "made"),
    [("shop:create_app", "create_app()"), ("shop:make_app()", "make_app()"), ("shop:web.app", "web.app")],
)
def test_what_not_every_server_can_import_is_imported_for_it(app: str, made: str) -> None:
    entry = entry_of(app)
    assert entry
    assert entry[0] == "serve_app:application"
    assert f"application = {made}\n" in entry[1]["serve_app.py"]


@pytest.mark.parametrize(
    "app",
    [
        'shop:app"; import os; os.abort()',
        "shop:create_app(__import__('os').abort())",
        "shop:create_app()()",
        "shop:create_app('a')\nimport os",
        "shop app",
        "shop:app --reload",
        "",
    ],
)
def test_a_name_that_could_be_more_than_one_gets_no_files(app: str) -> None:
    assert ready_files(SYNC_4, replace(BASIS, app=app)) == {}
    assert ready_files(UWSGI_3X4, replace(BASIS, app=app)) == {}


def test_a_tuning_that_recommends_nothing_has_none() -> None:
    tuning = tuning_of(NAMED[2], question_for("gunicorn"))
    assert tuning.setting
    files = of_tuning(tuning, "shop:app")
    assert f"workers = {tuning.setting.workers}\n" in files["gunicorn.conf.py"]
    assert of_tuning(tuning_of(NAMED[2], question_for("gunicorn"), most=0), "shop:app") == {}
