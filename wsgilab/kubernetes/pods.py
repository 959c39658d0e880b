"""Containers → pods, and what keeps them running and names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wsgilab.kubernetes.containers import Json, Part

LAB = {"app.kubernetes.io/part-of": "wsgilab"}
COMPONENT = "app.kubernetes.io/component"
SERVERS, LOAD = "servers", "load"
"""What is measured, and what measures: which pod is which decides who may speak to whom."""
USER = 10001
"""As which all of them run: that of both images."""
GRACE_S = 10
"""As long as Docker waits for a container to end."""


@dataclass(frozen=True)
class Document:
    """One object of a manifest, and what a person should know who reads it."""

    about: str
    content: Json

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.content["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.content["metadata"]["name"])


def labels(name: str, component: str) -> dict[str, str]:
    """What a pod, and what makes it, is found by."""
    return {"app.kubernetes.io/name": name, COMPONENT: component, **LAB}


def selector(name: str) -> dict[str, str]:
    """The labels that one pod alone has."""
    return {"app.kubernetes.io/name": name, **LAB}


def pod(parts: Sequence[Part], **more: Any) -> Json:
    """A pod with these containers. `more`: keys of its spec."""
    volumes = {volume["name"]: volume for one in parts for volume in one.volumes}
    return {
        # Nobody here speaks to the cluster's API, unless `more` says so.
        "automountServiceAccountToken": False,
        # Kubernetes would set GUNICORN_PORT=tcp://… and UWSGI_PORT=… for Services of these names, which the lab, uWSGI
        # and Granian read as settings of theirs.
        "enableServiceLinks": False,
        # `init: true` of Compose: an exporter beside its server is nobody's child, and has to be collected.
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": GRACE_S,
        **more,
        "containers": [one.container for one in parts],
        "volumes": list(volumes.values()),
    }


def deployment(name: str, about: str, parts: Sequence[Part]) -> Document:
    """A pod of the servers that is started anew when it ends, and of which there are never two."""
    content = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels(name, SERVERS)},
        "spec": {
            "replicas": 1,
            # Two at a time would share what one is measured with.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector(name)},
            "template": {"metadata": {"labels": labels(name, SERVERS)}, "spec": pod(parts)},
        },
    }
    return Document(about, content)


def service(name: str, about: str, of: str, ports: Mapping[str, int], to: str | None = None) -> Document:
    """A name for a pod, `of`. With `to`, its one port leads to another port of the pod, by name.

    Without that the name is the pod's own address: no proxy stands between the load and a server. A pod that is not
    ready keeps its name: one that is so busy that its health check fails is the one that is being measured.
    """
    direct: Json = {} if to else {"clusterIP": "None"}
    content = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": LAB},
        "spec": {
            **direct,
            "publishNotReadyAddresses": True,
            "selector": selector(of),
            "ports": [{"name": port, "port": number, "targetPort": to or number} for port, number in ports.items()],
        },
    }
    return Document(about, content)
