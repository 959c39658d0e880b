"""Servers as they run, where Compose started them: with settings that only it was told."""

from __future__ import annotations

from wsgilab.engines import Engine
from wsgilab.lab.running import settings_shown
from wsgilab.lab.servers import Lab, load_lab, read_services
from wsgilab.measure.readings import identity
from wsgilab.model.listener import Listener
from wsgilab.model.server import Server


def as_they_run(lab: Lab, engine: Engine, listener: Listener) -> list[Server]:
    """The engine's servers with the settings that their command lines show; the listener hears of each that differs.

    `GUNICORN_WORKERS=8 docker compose up` reaches the server, and nobody else. `lab` is what our own .env makes of it.
    """
    raw = read_services(lab.root)
    return [
        _as_it_runs(lab, engine, server, str(raw.get(server.name, {}).get("command")), listener)
        for server in engine.servers
    ]


def _as_it_runs(lab: Lab, engine: Engine, server: Server, template: str, listener: Listener) -> Server:
    if server.variant_of:  # set by ./lab, and nobody else
        return server
    running = identity(engine.endpoint(server).exporter_url).get("command", "")
    shown = settings_shown(template, running) or {}
    different = load_lab(lab.root, {**lab.variables, **shown}).servers.get(server.name, server)
    if different.command == server.command:
        return server
    listener.message(f"{server.name} runs with {', '.join(f'{name}={value}' for name, value in shown.items())}.")
    return different
