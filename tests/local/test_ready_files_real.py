"""The files that a tuning leaves are tried as they are meant: real servers start from them, real nginx passes on."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import wait_for

from wsgilab.errors import MissingError
from wsgilab.machine.ports import free_ports
from wsgilab.machine.tools import Nginx, find_nginx
from wsgilab.model.tuning import Setting
from wsgilab.reports.ready_files import ready_files
from wsgilab.reports.server_conf import FOLDER, SOCKETS, Basis

# One worker of gunicorn: a second one may still be starting when the first has answered, and does not hear signals yet.
SETTINGS = (
    Setting("gunicorn", "sync", 1),
    Setting("gunicorn", "gthread", 1, 4),
    Setting("gunicorn", "gevent", 1, 100),
    Setting("uwsgi", "", 2, 2),
)
LONGEST_END_S = 40
"""More than the 30 s after which gunicorn kills a worker that does not end."""
SHOP = """
def create_app(greeting):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{greeting} {environ['HTTP_HOST']}".encode()]
    return app

app = create_app("hello")
"""
AROUND = """pid {folder}/nginx.pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/app/nginx.conf;
}}
"""


@dataclass(frozen=True)
class Place:
    """A machine that is ready for the files: the app's folder, one for sockets, ports."""

    folder: Path
    server_port: int
    nginx_port: int

    @property
    def app(self) -> Path:
        return self.folder / "app"

    def put(self, setting: Setting, app: str) -> dict[str, str]:
        """Write the files as they are, but for the places of this machine."""
        places = {
            f"{FOLDER}/.venv/bin": str(Path(sys.executable).parent),
            FOLDER: str(self.app),
            SOCKETS: str(self.folder),
            ":8000": f":{self.server_port}",
            "listen 80;": f"listen 127.0.0.1:{self.nginx_port};",
            "0.0.0.0": "127.0.0.1",
        }
        files = ready_files(setting, Basis(app, "What was measured.", 1, 512.0, 100.0))
        for old, new in places.items():
            files = {name: text.replace(old, new) for name, text in files.items()}
        (self.app / "shop.py").write_text(SHOP)
        for name, text in files.items():
            (self.app / name).write_text(text)
        return files

    def answer(self, port: int) -> str:
        """What the app says there; nothing where nobody answers."""
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return str(answer.read().decode())
        return ""

    @contextmanager
    def running(self, command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A program in the app's folder, which is asked to end at the end."""
        inherited = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        log = (self.folder / f"{Path(command[0]).name}.log").open("wb")
        with (
            log,
            subprocess.Popen(command, cwd=self.app, env=inherited | environment, stdout=log, stderr=log) as process,
        ):
            try:
                yield process
            finally:
                process.terminate()
                process.wait(timeout=LONGEST_END_S)

    @contextmanager
    def nginx(self, found: Nginx) -> Iterator[None]:
        """nginx with the ready file in its http block. It checks the file first."""
        config = self.folder / "nginx.conf"
        config.write_text(AROUND.format(folder=self.folder))
        shutil.copy(found.etc / "uwsgi_params", self.folder)
        globals_ = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        command = [str(found.binary), "-e", "stderr", "-p", str(self.folder), "-c", str(config), "-g", globals_]
        subprocess.run([*command, "-t", "-q"], check=True)
        with self.running(command):
            yield


@pytest.fixture
def place() -> Iterator[Place]:
    """One with a short path: the name of a socket has room for 107 characters."""
    with tempfile.TemporaryDirectory(prefix="ready") as folder:
        (Path(folder) / "app").mkdir()
        yield Place(Path(folder), *free_ports(2))


@pytest.fixture(scope="module")
def nginx() -> Nginx:
    try:
        return find_nginx()
    except MissingError as error:
        pytest.skip(error.what)


def command_of(unit: str) -> list[str]:
    """What systemd would start."""
    return shlex.split(re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)[0])


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_unit_starts_the_server_says_that_it_is_ready_and_nginx_passes_on_to_it(
    setting: Setting, place: Place, nginx: Nginx
) -> None:
    files = place.put(setting, "shop:app")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"{place.folder}/notify")
        systemd.settimeout(20)
        with place.running(command_of(files["app.service"]), NOTIFY_SOCKET=f"{place.folder}/notify") as server:
            while b"READY=1" not in systemd.recv(4096):
                pass
            with place.nginx(nginx):
                wait_for(lambda: place.answer(place.nginx_port), "an answer through nginx", 20)
                assert place.answer(place.nginx_port) == f"hello 127.0.0.1:{place.nginx_port}"
        assert server.returncode == 0
    assert not (place.folder / "uwsgi.sock").exists()


@pytest.mark.parametrize("setting", [SETTINGS[0], SETTINGS[3]], ids=lambda setting: setting.name)
def test_the_command_of_the_dockerfile_serves_the_app_that_a_factory_makes(
    setting: Setting, place: Place, nginx: Nginx
) -> None:
    files = place.put(setting, 'shop:create_app("good evening")')
    (line,) = re.findall(r"^CMD (.*)$", files["Dockerfile.cmd"], re.MULTILINE)
    with place.running(json.loads(line)) as server, place.nginx(nginx):
        wait_for(lambda: place.answer(place.nginx_port), "an answer through nginx", 20)
        assert place.answer(place.nginx_port).startswith("good evening ")
    assert server.returncode == 0


@pytest.mark.parametrize("setting", [SETTINGS[0], SETTINGS[3]], ids=lambda setting: setting.family)
def test_systemd_finds_nothing_wrong_with_the_unit(setting: Setting, place: Place) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("no systemd-analyze on PATH: the unit was not checked")
    place.put(setting, "shop:app")
    done = subprocess.run([analyze, "verify", place.app / "app.service"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
