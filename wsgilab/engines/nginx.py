"""nginx in front of local servers: the configuration of compose.yaml with places of this machine, and its own end."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from wsgilab.engines.background import Background
from wsgilab.engines.start_failure import last_lines
from wsgilab.errors import MissingError
from wsgilab.lab.servers import Lab
from wsgilab.lab.variants import inside_port, nginx_blocks
from wsgilab.machine import http, processes
from wsgilab.machine.ports import free_port
from wsgilab.machine.tools import Nginx
from wsgilab.machine.waiting import Stop, poll_until

START_TIMEOUT_S = 10.0
NAME, EXPORTER = "nginx", "nginx-exporter"


class LocalNginx:
    """The proxy of every server that stands behind one. It is not under test: its end is the lab's trouble."""

    def __init__(self, lab: Lab, background: Background, stop: Stop, found: Nginx) -> None:
        self._lab = lab
        self._background = background
        self._stop = stop
        self._found = found
        self._status_port = free_port()
        self._exporter_port = free_port()

    @property
    def exporter_url(self) -> str:
        """Where its exporter is read."""
        return f"http://127.0.0.1:{self._exporter_port}/metrics"

    @property
    def own_url(self) -> str:
        """Where it answers by itself, for nobody behind it."""
        return f"http://{self._lab.address}:{self._status_port}"

    @property
    def version(self) -> str:
        """What it says it is."""
        return processes.ask([self._found.binary, "-v"]).err.strip().rpartition("/")[2]

    def start(self) -> None:
        """Start it and its exporter, and wait until it answers. Raises MissingError, with its log, where it ends."""
        folder = self._background.folder / NAME
        folder.mkdir(exist_ok=True)
        config = folder / "nginx.conf"
        config.write_text(configuration(self._lab, self._found, self._background.folder, self._status_port), "utf-8")
        # As root, nginx's workers would become `nobody`, who may not open the servers' sockets.
        globals_ = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        command = [str(self._found.binary), "-c", str(config), "-p", str(folder), "-e", "stderr", "-g", globals_]
        self._background.start(NAME, command, {}, folder)
        self._wait_until_it_answers()
        exporter = [sys.executable, str(self._lab.root / "services/serve/exporter.py")]
        exporter += ["--pid", str(self._background.pid(NAME))]
        exporter += ["--stub-status", f"{self.own_url}/nginx_status"]
        environment = {
            "LAB_EXPORTER_HOST": "127.0.0.1",
            "LAB_EXPORTER_PORT": str(self._exporter_port),
            "LAB_RUN_DIR": str(folder),
        }
        self._background.start(EXPORTER, exporter, environment, folder)

    def restart(self) -> None:
        """A fresh one in place of the old. Raises as `start`."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End it and its exporter."""
        self._background.end([EXPORTER, NAME])

    def death(self) -> str | None:
        """How it ended, with its last line; None while it runs."""
        ended = self._background.ended(NAME)
        lines = last_lines(self._background.output(NAME)) if ended else []
        return f"{ended} (its log: {lines[-1]})" if lines else ended

    def _wait_until_it_answers(self) -> None:
        poll_until(lambda: self._answers() or self._background.ended(NAME) is not None, self._stop, START_TIMEOUT_S)
        reason = self._background.ended(NAME) or (None if self._answers() else f"no answer after {START_TIMEOUT_S:g} s")
        if reason:
            lines = last_lines(self._background.output(NAME))
            raise MissingError(
                "\n".join([f"nginx did not start: {reason}", *(f"  | {line}" for line in lines)]),
                "its own words are above" if lines else f"{self._found.binary} cannot run here",
                "./lab doctor",
            )

    def _answers(self) -> bool:
        try:
            return http.ask(f"{self.own_url}/health", timeout_s=1.0).ok
        except http.NoAnswer:
            return False


def configuration(lab: Lab, nginx: Nginx, folder: Path, status_port: int) -> str:
    """nginx.conf of compose.yaml, on the address of local servers, with everything it writes in `folder`."""
    text = nginx_blocks((lab.root / "services/nginx/nginx.conf").read_text(encoding="utf-8"), lab.servers)
    for server in lab.servers.values():
        if server.via:
            text = text.replace(f"0.0.0.0:{inside_port(server)};", f"{lab.address}:{server.port};")
    text = text.replace("0.0.0.0:8080;", f"{lab.address}:{status_port};")
    return _moved(text, {"/tmp/": folder / NAME, "/run/sockets/": folder / "sockets", "/etc/nginx/": nginx.etc})


def _moved(text: str, places: Mapping[str, Path]) -> str:
    """Every word of a configuration that leads to one of these folders, leading to its new place instead, in quotes.

    A path may hold spaces, quotes and semicolons (http://nginx.org/en/docs/dev/development_guide.html#config_directives).
    """

    def moved(word: re.Match[str]) -> str:
        new = f"{word['before']}{places[word['folder']]}/{word['rest']}".replace("\\", "\\\\").replace('"', '\\"')
        return f'"{new}"'

    folders = "|".join(map(re.escape, places))
    return re.sub(rf"(?<=\s)(?P<before>(unix:)?)(?P<folder>{folders})(?P<rest>[^\s;]*)", moved, text)
