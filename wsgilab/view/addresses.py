"""Where a reader's browser finds what the pages lead to: servers, Prometheus, Grafana. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from wsgilab.lab.servers import Lab
from wsgilab.machine.http import public
from wsgilab.model.server import Server


@dataclass(frozen=True)
class Link:
    """A place to look at, and what is there."""

    name: str
    url: str
    about: str


@dataclass(frozen=True)
class Place:
    """Where the lab is, as seen by a reader."""

    host: str
    """The name or address by which the reader asked for the page."""
    lab: Lab
    prometheus_url: str
    """As this process reaches it; it may hold a password."""
    in_container: bool = False
    """Whether servers run in Compose's network, next to this page."""

    @property
    def measure(self) -> str:
        """The command that measures."""
        return "docker compose run --rm runner run" if self.in_container else "./lab run --prometheus"

    def of(self, server: Server) -> str:
        """A server's address; it answers while it runs."""
        return f"http://{self.host}:{server.port}/"

    @property
    def prometheus(self) -> str:
        """Prometheus's address; in Compose, the port that it is published on."""
        at = urlsplit(public(self.prometheus_url))
        if at.hostname in self.lab.services:
            return f"http://{self.host}:{self.lab.variables.get('PROMETHEUS_PORT', at.port)}/"
        if _is_loopback(at.hostname or ""):
            return f"http://{self.host}:{at.port}/"
        return at.geturl()

    @property
    def grafana(self) -> str:
        """Grafana's address."""
        return f"http://{self.host}:{self.lab.variables.get('GRAFANA_PORT', '3000')}"

    def links(self) -> Iterator[Link]:
        """What there is to look at, besides the pages of this site."""
        where = "in Grafana" if self.in_container else "drawn here, from Prometheus"
        yield Link("Side by side", "/d/side-by-side", f"The dashboard of all servers, {where}")
        yield Link("One server", "/d/one-server", "Where its time goes: connecting, nginx, the queue, the app")
        yield Link("Capacity", "/d/capacity", "How much each carries before it queues")
        yield Link("Lab health", "/d/lab-health", "Can the measurement be trusted?")
        yield Link(
            "What the browser feels", "/d/what-the-browser-feels", "Clicks in a real browser: ./lab vitals --prometheus"
        )
        cat = (
            "docker compose exec prometheus cat /etc/wsgilab/password"
            if self.in_container
            else ("cat results/.prometheus/password")
        )
        yield Link("Prometheus", self.prometheus, f"Every recorded series, and alerts; user lab, password: {cat}")
        yield Link(
            "Your browser", "/docs/devtools", "See it in DevTools: whom a page waited for, and what a click felt like"
        )
        while_it_runs = "" if self.in_container else "; up only during a run"
        for server in self.lab.servers.values():
            if server.default:
                yield Link(server.name, self.of(server), f"{server.pattern}{while_it_runs}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
