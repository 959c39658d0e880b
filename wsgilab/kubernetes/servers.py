"""The servers of a request as Deployments, each with the names under which the runner knows it.

A server that listens on a port of its own has a pod of its own. Those behind nginx share one with it, for they speak
through sockets in a folder that nobody else mounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wsgilab.kubernetes.containers import Images, Json, Part, Shape, part
from wsgilab.kubernetes.pods import Document, deployment, service
from wsgilab.lab.servers import Lab
from wsgilab.lab.variants import PROXY, inside_port
from wsgilab.model.server import Server

NGINX, EXPORTER = "nginx", "nginx-exporter"
NGINX_CONF = "nginx-conf"
"""The ConfigMap with nginx.conf."""
OWN_PORT = 8080
"""Where nginx answers by itself."""
EXPORTER_PORT = 9100
MOUNTED_CONF, MOUNTED_SOCKETS = "/etc/wsgilab/nginx.conf", "/run/sockets"
SOCKETS = {"name": "sockets", "emptyDir": {"medium": "Memory"}}
STATUS_URL = f"http://127.0.0.1:{OWN_PORT}/nginx_status"
EXPORTER_CPU = "200m"
"""Of the one container that no figure of a server contains: it needs no CPU of its own."""


def alone(servers: Sequence[Server]) -> list[Server]:
    """Those that have a pod of their own."""
    return [server for server in servers if not server.via]


def behind_nginx(servers: Sequence[Server]) -> list[Server]:
    """Those that share nginx's pod."""
    return [server for server in servers if server.via]


def deployments(lab: Lab, servers: Sequence[Server], images: Images) -> list[Document]:
    """A Deployment for each server by itself, and one for nginx with those behind it: nginx is always there, as the
    fixed answer by which k6 learns what of a response time is its own."""
    found = [
        deployment(server.name, server.pattern, [_server(lab, server, images, EXPORTER_PORT, "exporter")])
        for server in alone(servers)
    ]
    return [*found, deployment(NGINX, _about_nginx(servers), _nginx(lab, servers, images))]


def exporter_ports(servers: Sequence[Server]) -> dict[str, tuple[str, int]]:
    """Each container with an exporter → the name and the number of the port that it listens on."""
    own = {server.name: ("exporter", EXPORTER_PORT) for server in alone(servers)}
    own[EXPORTER] = ("exporter", EXPORTER_PORT)
    shared = {
        server.name: (f"exporter-{number}", EXPORTER_PORT + number)
        for number, server in enumerate(behind_nginx(servers), 1)
    }
    return own | shared


def nginx_ports(servers: Sequence[Server]) -> dict[str, int]:
    """The ports that nginx listens on, by name."""
    return {
        "own": OWN_PORT,
        **{f"http-{inside_port(server)}": inside_port(server) for server in behind_nginx(servers)},
    }


def services(servers: Sequence[Server]) -> Iterator[Document]:
    """Each name that the runner asks for."""
    for server in alone(servers):
        ports = {"http": inside_port(server), "exporter": EXPORTER_PORT}
        yield service(server.name, f"{server.name} and its exporter.", server.name, ports)
    yield service(NGINX, "nginx, with a port for each server behind it.", NGINX, nginx_ports(servers))
    yield service(EXPORTER, "The exporter that reads nginx.", NGINX, {"exporter": EXPORTER_PORT})
    if any(server.variant_of for server in behind_nginx(servers)):
        # In Compose, variants have an nginx besides the one that runs.
        yield service(PROXY, "The same nginx, as variants know it.", NGINX, nginx_ports(servers))
        yield service(f"{PROXY}-exporter", "The same exporter.", NGINX, {"exporter": EXPORTER_PORT})
    for server in behind_nginx(servers):
        port, _ = exporter_ports(servers)[server.name]
        about = f"The exporter of {server.name}, one of several in nginx's pod."
        yield service(server.name, about, NGINX, {"exporter": EXPORTER_PORT}, to=port)


def _server(lab: Lab, server: Server, images: Images, exporter_port: int, port_name: str) -> Part:
    http: dict[str, int] = {} if server.via else {"http": inside_port(server)}
    shape = Shape(
        mounts={MOUNTED_SOCKETS: SOCKETS},
        environment={"LAB_EXPORTER_PORT": str(exporter_port)},
        ports={**http, port_name: exporter_port},
    )
    return part(server.name, lab.services[server.name], images, shape)


def _nginx(lab: Lab, servers: Sequence[Server], images: Images) -> list[Part]:
    ports = exporter_ports(servers)
    conf: Json = {"name": NGINX_CONF, "configMap": {"name": NGINX_CONF}}
    shape = Shape(mounts={MOUNTED_CONF: conf, MOUNTED_SOCKETS: SOCKETS}, ports=nginx_ports(servers))
    described = dict(lab.services[EXPORTER])
    # The same pod, so no name is looked up.
    described["entrypoint"] = [
        STATUS_URL if word.endswith("/nginx_status") else word for word in described["entrypoint"]
    ]
    return [
        part(NGINX, lab.services[NGINX], images, shape),
        part(EXPORTER, described, images, Shape(ports=dict([ports[EXPORTER]]), cpu=EXPORTER_CPU)),
        *(
            _server(lab, server, images, ports[server.name][1], ports[server.name][0])
            for server in behind_nginx(servers)
        ),
    ]


def _about_nginx(servers: Sequence[Server]) -> str:
    names = ", ".join(server.name for server in behind_nginx(servers))
    return f"nginx, its exporter{f', and the servers behind it: {names}' if names else ''}."
