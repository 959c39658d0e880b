"""What a window lost: its server, which is a result, or a means of the lab's own, which says nothing about one."""

from __future__ import annotations

from dataclasses import dataclass

from wsgilab.engines import Engine
from wsgilab.machine.cluster_api import kubectl
from wsgilab.measure.readings import scrape
from wsgilab.model.server import Server
from wsgilab.model.window import LoadResult, Sample, Window, WindowPlan

BEFORE, IN = "before the window", "in the window"


@dataclass(frozen=True)
class Loss:
    """Why a window has no figures."""

    died: str | None = None
    void: str | None = None

    def window(self, plan: WindowPlan, result: LoadResult | None = None) -> Window:
        """The window that is left."""
        return Window(plan, result, None, died=self.died, void=self.void)


def without_reading(server: Server, when: str, engine: Engine) -> Loss:
    """What is lost where an exporter stays silent: the server if it is dead, else what would have told about it.

    An exporter that dies alone takes no server with it, and neither does a proxy.
    """
    if known := engine.death(server):
        return Loss(died=f"the server {known} {when}")
    if known := engine.proxy_death(server):
        return Loss(void=_proxy(server, known, when))
    if not engine.lives(server):
        return Loss(died=f"the server was gone {'when the window ended' if when == IN else when}")
    at = engine.endpoint(server)
    if at.proxy_exporter_url and scrape(at.exporter_url, at.run_id):
        whose, cure = f"{server.via}'s", f"docker compose up --detach {server.via} {server.via}-exporter"
    else:
        whose, cure = "its", f"docker compose restart {server.name}"
    if engine.name == "kubernetes":
        deployment = f"deployment/{server.via or server.name}"
        cure = kubectl(engine.facts().get("namespace"), "rollout", "restart", deployment)
    # Where others supervise, an exporter that died alone stays dead: it is no container's first process.
    hint = "" if engine.restarts else f" (`{cure}` brings it back)"
    return Loss(void=f"{whose} exporter gave no answer {when}; {server.name} itself lived{hint}")


def death(server: Server, before: Sample, after: Sample, engine: Engine) -> str | None:
    """What happened to a server that did not live through its window; None where it did."""
    if known := engine.death(server):
        return f"the server {known} {IN}"
    if not after.up:
        return "the server was gone when the window ended"
    if after.start_time != before.start_time:
        return f"the server was started anew {IN}"
    return None


def lost_proxy(server: Server, before: Sample, after: Sample, engine: Engine) -> str | None:
    """What happened to the proxy of a server that itself lived through its window; None where nothing did."""
    known = engine.proxy_death(server)
    if known is None and before.proxy_start_time == after.proxy_start_time:
        return None
    return _proxy(server, known or "was started anew", IN)


def of_services(engine: Engine, when: str = BEFORE) -> Loss | None:
    """What is lost where a service of the app has ended: the app's answers say nothing about its server."""
    gone = engine.lost_service()
    return Loss(void=f"{gone} {when}") if gone else None


def _proxy(server: Server, how: str, when: str) -> str:
    return f"{server.via}, which stands in front of it, {how} {when}; {server.name} itself lived"
