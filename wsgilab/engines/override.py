"""What compose.yaml does not say: a service for each variant, as a Compose file to lay over it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wsgilab.lab.servers import Lab
from wsgilab.lab.variants import PROXY, nginx_blocks
from wsgilab.machine import places
from wsgilab.model.server import Server, import_path

EXPORTER = f"{PROXY}-exporter"
NGINX_CONF = "/etc/wsgilab/nginx.conf"
OF_A_RUN = "wsgilab.run"
"""The label of containers and volumes that are made for one run, and go with it."""


def extra_services(servers: Sequence[Server]) -> list[str]:
    """Services that these need besides the servers: an nginx of their own where a variant stands behind one."""
    return [PROXY, EXPORTER] if any(server.variant_of and server.via for server in servers) else []


@contextmanager
def laid_over(
    lab: Lab, servers: Sequence[Server], environment: Mapping[str, str], more: Mapping[str, Any] | None = None
) -> Iterator[dict[str, str]]:
    """`environment` for Compose commands that know the variants among `servers`, and apps of their own; unchanged where
    there are none. `more`: a Compose file that is laid over all of that."""
    if not any(server.variant_of or server.app for server in servers) and more is None:
        yield dict(environment)
        return
    with places.make() as place:
        folder = place.path
        config = folder / "nginx.conf"
        shipped = (lab.root / "services/nginx/nginx.conf").read_text(encoding="utf-8")
        config.write_text(nginx_blocks(shipped, lab.servers), encoding="utf-8")
        config.chmod(0o644)  # nginx's user in the container is nobody here
        override = folder / "variants.json"  # JSON is YAML
        override.write_text(json.dumps(_escaped(compose_file(lab, servers, config)), indent=2), encoding="utf-8")
        separator = environment.get("COMPOSE_PATH_SEPARATOR", os.pathsep)
        files = [*_files(lab.root, environment, separator), str(override)]
        if more is not None:
            needs = folder / "needs.json"
            needs.write_text(json.dumps(more, indent=2), encoding="utf-8")
            files.append(str(needs))
        yield {**environment, "COMPOSE_FILE": separator.join(files)}


def compose_file(lab: Lab, servers: Sequence[Server], nginx_conf: Path) -> dict[str, Any]:
    """The Compose file with the variants among `servers`, and with what apps of their own change in the others.

    `nginx_conf` is mounted in the nginx in front of variants.
    """
    services = {server.name: _service(lab, server) for server in servers if server.variant_of or server.app}
    if extra_services(servers):
        services |= {PROXY: of_a_run(_proxy(lab, nginx_conf)), EXPORTER: of_a_run(_proxy_exporter(lab))}
    return {"services": services}


def of_a_run(service: Mapping[str, Any]) -> dict[str, Any]:
    """A service with the label by which a later run finds what is left of it."""
    return {**service, "labels": {**(service.get("labels") or {}), OF_A_RUN: "1"}}


def _service(lab: Lab, server: Server) -> dict[str, Any]:
    """All of a variant; of a server of compose.yaml what its app changes."""
    whole = of_a_run(lab.services[server.name]) if server.variant_of else {}
    if server.app is None:
        return whole
    image = {"image": server.app.image} if server.app.image else {}
    told = {
        **server.app.variables,
        **import_path(server.environment, server.app.variables, server.environment["LAB_APP_DIR"]),
    }
    return {**whole, **image, "environment": {**whole.get("environment", {}), **told}}


def _proxy(lab: Lab, nginx_conf: Path) -> dict[str, Any]:
    nginx = _without(lab.services["nginx"], "ports", "build")
    mounts = [mount for mount in nginx["volumes"] if f":{NGINX_CONF}:" not in mount]
    return {**nginx, "volumes": [f"{nginx_conf}:{NGINX_CONF}:ro,z", *mounts]}


def _proxy_exporter(lab: Lab) -> dict[str, Any]:
    exporter = _without(lab.services["nginx-exporter"], "build")
    return {
        **exporter,
        "entrypoint": [word.replace("http://nginx:", f"http://{PROXY}:") for word in exporter["entrypoint"]],
        "pid": f"service:{PROXY}",
        "depends_on": {PROXY: exporter["depends_on"]["nginx"]},
    }


def _files(root: Path, environment: Mapping[str, str], separator: str) -> list[str]:
    """The Compose files that would be used without us (https://docs.docker.com/compose/how-tos/environment-variables/)."""
    if environment.get("COMPOSE_FILE"):
        return environment["COMPOSE_FILE"].split(separator)
    own = root / "compose.override.yaml"
    return [str(root / "compose.yaml"), *([str(own)] if own.exists() else [])]


def _without(service: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in service.items() if key not in keys}


def _escaped(node: Any) -> Any:
    """Every variable is filled in already: a dollar that is left is meant."""
    if isinstance(node, str):
        return node.replace("$", "$$")
    if isinstance(node, dict):
        return {key: _escaped(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_escaped(value) for value in node]
    return node
