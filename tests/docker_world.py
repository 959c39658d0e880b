"""A machine whose docker command is a script, for what passes between `./lab` and containers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import window
from support import ROOT

from wsgilab.engines import compose
from wsgilab.engines.stack import Stack
from wsgilab.errors import Interrupted, LabError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.measure.tuning import question_of, with_settings
from wsgilab.model.events import Ended, Teller
from wsgilab.model.listener import Listener
from wsgilab.model.manifest import Manifest
from wsgilab.model.request import Request
from wsgilab.model.window import Window

DOCKER = """#!/bin/sh
echo "$*" >> "$FAKE/asked"
case "$*" in
    version*) echo 28.0.0 ;;
    *"config --format json"*) cat "$FAKE/config.json" ;;
    "image inspect missing"*) exit 1 ;;
    *"compose build"* | *" build browser") echo "building" >&2; . "$FAKE/build" ;;
    *" restart --timeout 1 "* | *" stop "*) ;;
    *" ps --all --quiet "*) echo c0ffee ;;
    inspect*) cat "$FAKE/state" ;;
    "ps --all"*) cat "$FAKE/left" ;;
    *"up --detach --no-deps"*) exit "$(cat "$FAKE/starts")" ;;
    *" logs "*) echo "Traceback"; echo "KeyError: 'price'" ;;
    *"ps --services"*) cat "$FAKE/running" ;;
    *"import os, wsgi"*) cat "$FAKE/import"; exit "$(cat "$FAKE/imported")" ;;
    *"run --rm"*" -e LAB_TASK "*) printenv LAB_TASK >> "$FAKE/tasks" ;;
    *"up --detach"*) env > "$FAKE/environment"; echo " Container up" >&2; exit "$(cat "$FAKE/up")" ;;
    *"run --rm"*)
        printenv LAB_REQUEST > "$FAKE/request"
        echo " Container runner  Created" >&2
        while read -r errand <&3; do
            printf '%s\\n' "$errand"
            read -r answer
            printf '%s\\n' "$answer" >> "$FAKE/answers"
        done 3< "$FAKE/errands"
        cat "$FAKE/said"
        exit "$(cat "$FAKE/code")" ;;
esac
"""


class Heard(Listener):
    """Remembers lines and windows."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.windows: list[Window] = []

    def output(self, line: str) -> None:
        self.lines.append(line)

    def window_measured(self, window: Window) -> None:
        self.windows.append(window)


class World:
    """A machine with a docker that does as it is told here."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.listener = Heard()
        self.stop = Stop()
        (folder / "bin").mkdir()
        (folder / "bin/docker").write_text(DOCKER)
        (folder / "bin/docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
        monkeypatch.setenv("FAKE", str(folder))
        services = {name: {"image": name, "build": {}} for name in compose.IMAGES}
        self.set("config.json", json.dumps({"services": services}))
        for name, text in (
            ("running", ""),
            ("up", "0"),
            ("build", ""),
            ("code", "0"),
            ("said", ""),
            ("errands", ""),
            ("import", ""),
            ("imported", "0"),
            ("state", "{}"),
            ("starts", "0"),
            ("left", ""),
        ):
            self.set(name, text)

    def set(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def get(self, name: str) -> str:
        return (self.folder / name).read_text()

    def says(self, tell: Callable[[Teller], object], name: str = "said") -> None:
        lines: list[str] = []
        tell(Teller(lines.append))
        self.set(name, "".join(f"{line}\n" for line in lines))

    def stack(self, request: Request) -> Stack:
        lab = load_lab(ROOT, request.variables)
        if request.command == "tune":
            lab, servers = with_settings(lab, question_of(request, lab, request.families[0]))
        else:
            servers = lab.select(request.servers)
        return Stack(lab, servers, request, self.stop, self.listener)

    def run(self, request: Request) -> Ended:
        return compose.run_inside(self.stack(request))


REQUEST = Request(engine="compose", servers=("gunicorn", "uwsgi"), seed=3, settings={"GUNICORN_WORKERS": "8"})
CLICKS = REQUEST.but(command="vitals", rates_rps=(0.0, 100.0), clicks=2)
WINDOW = window("gunicorn")


def finish(folder: str | None, trouble: LabError | Interrupted | None = None) -> Callable[[Teller], None]:
    def tell(teller: Teller) -> None:
        teller.window_measured(WINDOW)
        teller.ended(Ended(Manifest(command="run"), folder, trouble))

    return tell
