"""What a recommended setting looks like in production: files that can be taken as they are.

They hold the setting that was measured, and whatever else of the lab's own configuration a default would undo; each
line with its reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model import words
from wsgilab.model.tuning import Setting
from wsgilab.reports import entry_file
from wsgilab.reports.server_conf import (
    CMD,
    CONF,
    FOLDER,
    INI,
    NGINX,
    PORT,
    SOCKET,
    SOCKETS,
    UNIT,
    Basis,
    gunicorn_conf,
    head,
    lines,
    uwsgi_ini,
)

MB, MIB = 1e6, 2**20
"""What the lab measures in, and what systemd calls M."""
AS_A_LIST = "# The command is a list, so that the server gets the signal to stop."


def ready_files(setting: Setting, basis: Basis) -> dict[str, str]:
    """File name → its text; none for an app whose name nobody can read."""
    entry = entry_file.entry_of(basis.app)
    if entry is None:
        return {}
    app, more = entry
    write = _of_uwsgi if setting.family == "uwsgi" else _of_gunicorn
    files = {**write(setting, replace(basis, app=app)), **more}
    return {name: text.rstrip() + "\n" for name, text in files.items()}


def of_tuning(tuning: Tuning, app: str) -> dict[str, str]:
    """The files of the setting that a tuning recommends; none where it recommends none."""
    recommended = next((one.point for one in tuning.contenders if one.is_recommended), None)
    if recommended is None:
        return {}
    question = tuning.question
    basis = Basis(app, words.sentence(tuning.advice.answer), question.cpus, question.memory_mb, recommended.memory_mb)
    return ready_files(recommended.setting, basis)


def _of_gunicorn(setting: Setting, basis: Basis) -> Mapping[str, str]:
    command = ["gunicorn", "--config", CONF, basis.app]
    anywhere = ["gunicorn", "--config", CONF, "--bind", f"0.0.0.0:{PORT}", basis.app]
    package = "gunicorn[gevent]" if setting.kind == "gevent" else "gunicorn"
    return {
        CONF: gunicorn_conf(setting, basis),
        NGINX: _nginx(_server_of_gunicorn(setting), _PASSED_ON, basis, "The capacity was measured without nginx."),
        CMD: lines(
            *head("#", basis),
            f"# For the Dockerfile of the app; {package} is among its requirements.",
            "# All interfaces are those of the container: publish the port on loopback, or to a proxy.",
            AS_A_LIST,
            _copy(CONF, basis),
            f"CMD {_as_list(anywhere)}",
        ),
        UNIT: _unit(command, basis, "gunicorn"),
    }


def _of_uwsgi(setting: Setting, basis: Basis) -> Mapping[str, str]:
    command = ["uwsgi", "--ini", INI]
    passed_on = ["include uwsgi_params;", "uwsgi_param HTTP_HOST $http_host;", "uwsgi_pass app;"]
    return {
        INI: uwsgi_ini(setting, basis),
        NGINX: _nginx([f"server unix:{SOCKET};"], passed_on, basis, "The capacity was measured behind nginx."),
        CMD: lines(
            *head("#", basis),
            "# For the Dockerfile of the app; pyuwsgi is among its requirements. nginx reaches the server",
            f"# by a socket in a volume that both containers mount at {SOCKETS}, as the same user. Never publish",
            "# a port of this protocol.",
            AS_A_LIST,
            f"RUN install -d -o 10001 -g 10001 {SOCKETS}",
            f"VOLUME {SOCKETS}",
            "USER 10001:10001",
            _copy(INI, basis),
            f"CMD {_as_list(command)}",
        ),
        UNIT: _unit(command, basis, "uWSGI"),
    }


_PASSED_ON = [
    "proxy_set_header Host $http_host;",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
    "proxy_http_version 1.1;",
    'proxy_set_header Connection "";',
    "proxy_pass http://app;",
]


def _server_of_gunicorn(setting: Setting) -> list[str]:
    server = f"server 127.0.0.1:{PORT};"
    if setting.kind == "sync":  # which closes every connection
        return [server]
    return [server, "# Connections to the server that stay open for the next request.", "keepalive 16;"]


def _nginx(upstream: list[str], location: list[str], basis: Basis, measured: str) -> str:
    return lines(
        *head("#", basis),
        f"# For /etc/nginx/conf.d/. {measured}",
        "upstream app {",
        *(f"    {line}" for line in upstream),
        "}",
        "server {",
        "    listen 80;",
        "    # The largest upload; nginx's own bound is 1 MB.",
        "    client_max_body_size 8m;",
        "    location / {",
        *(f"        {line}" for line in location),
        "    }",
        "}",
    )


def _unit(command: list[str], basis: Basis, server: str) -> str:
    return lines(
        *head("#", basis),
        f"# The app is expected in {FOLDER} with its virtual environment in .venv, and nginx in the group www-data,",
        "# as on Debian. Change what differs.",
        "[Unit]",
        f"Description={basis.app} under {server}",
        "After=network.target",
        "",
        "[Service]",
        "# The server says when it is ready.",
        "Type=notify",
        "NotifyAccess=main",
        "User=www-data",
        "Group=www-data",
        f"WorkingDirectory={FOLDER}",
        f"RuntimeDirectory={SOCKETS.rpartition('/')[2]}",
        f"ExecStart={FOLDER}/.venv/bin/{' '.join(command)}",
        "ExecReload=/bin/kill -s HUP $MAINPID",
        "# The master is asked to stop, and stops its workers.",
        "KillMode=mixed",
        "Restart=on-failure",
        *_memory(basis),
        "NoNewPrivileges=true",
        "PrivateTmp=true",
        "ProtectSystem=full",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    )


def _memory(basis: Basis) -> Iterable[str]:
    if basis.allowed_mb is None:
        return []
    seen = f"; {words.number(basis.seen_mb)} MB were seen, in windows of seconds" if basis.seen_mb is not None else ""
    return [f"# What the setting was tuned for{seen}.", f"MemoryMax={basis.allowed_mb * MB / MIB:.0f}M"]


def _copy(name: str, basis: Basis) -> str:
    names = [name, entry_file.NAME] if basis.app == entry_file.ENTRY else [name]
    return f"COPY {' '.join(names)} ./"


def _as_list(command: list[str]) -> str:
    return json.dumps(command)
