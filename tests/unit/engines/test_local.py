"""Servers as local processes: what they get, how they are called, and whose answers count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from support import ROOT

from wsgilab.engines import HealthCheck
from wsgilab.engines.background import INHERITED, PROGRAMS, Background, Started
from wsgilab.engines.local import LocalEngine, _launcher
from wsgilab.engines.nginx import configuration
from wsgilab.engines.override import compose_file
from wsgilab.lab.servers import load_lab
from wsgilab.machine import http
from wsgilab.machine.http import Answer
from wsgilab.machine.processes import Process
from wsgilab.machine.tools import Nginx
from wsgilab.machine.waiting import Stop
from wsgilab.model.needs import Needs, Service
from wsgilab.model.server import App


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE"])
def test_what_programs_need_is_inherited(name: str) -> None:
    assert INHERITED.fullmatch(name)


@pytest.mark.parametrize(
    "name",
    [
        *("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DATABASE_URL", "SSH_AUTH_SOCK", "LD_PRELOAD", "MY_PATH", "PATHS"),
        *("NGINX", "WERKZEUG_RUN_MAIN", "GUNICORN_CMD_ARGS", "UWSGI_HTTP", "PYTHONSTARTUP", "http_proxy", "LAB_APP"),
    ],
)
def test_neither_secrets_nor_settings_that_nobody_sees_are(name: str) -> None:
    assert not INHERITED.fullmatch(name)


def test_a_script_is_handed_to_the_python_it_belongs_to(tmp_path: Path) -> None:
    """Its first line goes by way of a shell where the path has a space, and a shell reads `$` its own way."""
    (tmp_path / "gunicorn").write_text("#!/bin/sh\n")
    (tmp_path / "granian").write_bytes(b"\x7fELF")
    assert _launcher("gunicorn", tmp_path) == [str(tmp_path / "python"), str(tmp_path / "gunicorn")]
    assert _launcher("granian", tmp_path) == ["granian"]
    assert _launcher("nothing", tmp_path) == ["nothing"]


def test_a_server_with_an_app_of_its_own_is_started_from_that_apps_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: dict[str, tuple[Sequence[str], str, Path]] = {}

    def note(
        _: Background, name: str, command: Sequence[str], environment: Mapping[str, str], __: Path, programs: Path
    ) -> None:
        started[name] = (command, environment["LAB_APP_DIR"], programs)

    programs = tmp_path / "environment/bin"
    programs.mkdir(parents=True)
    (programs / "gunicorn").write_text("#!/bin/sh\n")
    gunicorn = load_lab(ROOT, {}).servers["gunicorn"]
    own = replace(gunicorn, name="before", app=App(str(tmp_path / "app"), str(tmp_path / "environment")))
    monkeypatch.setattr(Background, "start", note)
    with LocalEngine(load_lab(ROOT, {}), [gunicorn, own], Stop(), 30.0) as engine:
        for server in (gunicorn, own):
            engine._launch(server)
    (_, folder, found), (command, own_folder, own_programs) = started["gunicorn"], started["before"]
    assert (folder, found) == (str(ROOT / "services/app"), PROGRAMS)
    assert (own_folder, own_programs) == (str(tmp_path / "app"), programs)
    assert list(command[1:3]) == [str(programs / "python"), str(programs / "gunicorn")]


def test_every_path_of_nginx_is_quoted_and_none_is_the_containers(tmp_path: Path) -> None:
    odd = tmp_path / 'a "b"; $c \\ d'
    text = configuration(load_lab(ROOT, {}), Nginx(Path("/usr/sbin/nginx"), odd / "etc"), odd, 12345)
    code = re.sub(r"#.*", "", text)
    assert not re.search(r"(?<!\w)(/tmp/(?!pytest)|/run/|/etc/nginx|0\.0\.0\.0)", code)
    quoted = str(odd).replace("\\", "\\\\").replace('"', '\\"')
    assert f'include "{quoted}/etc/mime.types";' in code
    assert f'server "unix:{quoted}/sockets/uwsgi.sock" max_fails=0;' in code
    assert f'pid "{quoted}/nginx/nginx.pid";' in code
    assert "listen 127.0.0.1:12345;" in code


@pytest.mark.parametrize(
    ("headers", "healthy", "said"),
    [
        ({"X-Lab-Server": "gunicorn", "X-Lab-Run": "4f2a"}, True, "answered by 'gunicorn'"),
        ({"X-Lab-Server": "gunicorn", "X-Lab-Run": "0000"}, False, "answered by 'gunicorn' of another run"),
        ({"X-Lab-Server": "gunicorn"}, False, "answered by 'gunicorn' of another run"),
        ({"X-Lab-Server": "dev", "X-Lab-Run": "4f2a"}, False, "answered by 'dev'"),
        ({}, False, "answered by something that is not the lab"),
    ],
)
def test_only_a_server_of_this_run_is_healthy(
    headers: dict[str, str], healthy: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ask", lambda _url, **_: Answer(200, headers, b""))  # type: ignore[arg-type]
    (server,) = load_lab(ROOT, {}).select(["gunicorn"])
    check = HealthCheck(server, "http://127.0.0.1:8003", 2.0, "4f2a")
    assert check.passes() is healthy
    assert check.last.endswith(said)


@pytest.mark.parametrize(("writable", "folder"), [(True, "/dev/shm"), (False, None)])
def test_gunicorns_heartbeats_are_in_memory_where_there_is_such_a_folder(
    writable: bool, folder: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, _mode: writable and path == "/dev/shm")
    settings: dict[str, object] = {}
    exec((ROOT / "services/gunicorn/gunicorn.conf.py").read_text(), settings)
    assert settings["worker_tmp_dir"] == folder


def test_what_an_app_was_given_is_in_nothing_that_its_programs_are_said_to_write(tmp_path: Path) -> None:
    lab = load_lab(ROOT, {})
    app = App(str(tmp_path), variables={"GREETING": "not-a-word-of-it"})
    servers = [replace(server, app=app) for server in lab.select(["gunicorn"])]
    needs = Needs((Service("cache", "exec cache {port}"),))
    engine = LocalEngine(lab, servers, Stop(), 1.0, needs=needs)
    log = tmp_path / "gunicorn.log"
    log.write_text("greets with not-a-word-of-it\n")
    engine._background._started["gunicorn"] = Started(cast("Process", None), log)
    assert engine.log(servers[0]) == "greets with ***\n"
    assert engine._services._background.told("not-a-word-of-it") == "***"


def test_an_import_path_of_the_apps_own_comes_after_the_labs_and_is_told_from_its_folder(tmp_path: Path) -> None:
    lab = load_lab(ROOT, {})
    app = App(str(tmp_path), variables={"PYTHONPATH": "lib:/opt/more:"})
    (server,) = [replace(server, app=app) for server in lab.select(["gunicorn"])]
    with LocalEngine(lab, [server], Stop(), 1.0) as engine:
        found = engine._environment(server)["PYTHONPATH"]
    assert found == f"{ROOT}/services/serve:{tmp_path}/lib:/opt/more"
    content = compose_file(lab, [server], tmp_path)["services"]["gunicorn"]
    assert content["environment"]["PYTHONPATH"] == "/srv/serve:/srv/app/lib:/opt/more"
