"""Ready files hold the setting that was recommended, and can be read by what they are for."""

from __future__ import annotations

import configparser
import json

import pytest

from wsgilab.model.tuning import Setting
from wsgilab.reports.ready_files import ready_files


def gunicorn_conf(setting: Setting) -> dict[str, object]:
    values: dict[str, object] = {}
    exec(ready_files(setting, "shop:app")["gunicorn.conf.py"], values)
    return {name: value for name, value in values.items() if not name.startswith("_")}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Setting("gunicorn", "sync", 4), {"worker_class": "sync", "workers": 4}),
        (Setting("gunicorn", "gthread", 2, 8), {"worker_class": "gthread", "workers": 2, "threads": 8}),
        (Setting("gunicorn", "gevent", 2, 1000), {"worker_class": "gevent", "workers": 2, "worker_connections": 1000}),
    ],
    ids=lambda value: value.name if isinstance(value, Setting) else "",
)
def test_gunicorn_is_set_as_it_was_measured(setting: Setting, expected: dict[str, object]) -> None:
    conf = gunicorn_conf(setting)
    assert expected.items() <= conf.items()
    assert ("threads" in conf) == (setting.kind == "gthread")


def test_uwsgi_is_set_as_it_was_measured() -> None:
    ini = configparser.ConfigParser(inline_comment_prefixes=None, comment_prefixes=(";",))
    ini.read_string(ready_files(Setting("uwsgi", "", 3, 4), "shop:app")["uwsgi.ini"])
    own = ini["uwsgi"]
    assert (own["processes"], own["threads"], own["module"]) == ("3", "4", "shop:app")


def test_an_exposed_uwsgi_port_is_in_no_file() -> None:
    text = "".join(ready_files(Setting("uwsgi", "", 3, 4), "shop:app").values())
    assert "0.0.0.0" not in text
    assert "socket = /" in text


def test_one_process_with_threads_takes_no_turns() -> None:
    assert "thunder-lock" not in ready_files(Setting("uwsgi", "", 1, 8), "shop:app")["uwsgi.ini"]
    assert "thunder-lock" in ready_files(Setting("uwsgi", "", 2, 8), "shop:app")["uwsgi.ini"]


def test_the_command_of_the_dockerfile_is_a_list() -> None:
    text = ready_files(Setting("gunicorn", "sync", 4), "shop:app")["Dockerfile"]
    (line,) = [line for line in text.splitlines() if line.startswith("CMD ")]
    assert json.loads(line.removeprefix("CMD ")) == ["gunicorn", "--config", "gunicorn.conf.py", "shop:app"]


def test_the_units_memory_is_what_was_seen_with_room() -> None:
    text = ready_files(Setting("gunicorn", "sync", 4), "shop:app", memory_mb=100.0)["app.service"]
    assert "MemoryMax=130M" in text
    assert "MemoryMax" not in ready_files(Setting("gunicorn", "sync", 4), "shop:app")["app.service"]
