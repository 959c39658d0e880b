"""Kustomizations: the base, and what lies over it on another kind of cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from wsgilab.kubernetes.containers import Json
from wsgilab.kubernetes.monitoring import PROMETHEUS_URL
from wsgilab.kubernetes.pods import LAB, LOAD, SERVERS, Document
from wsgilab.kubernetes.runner import REQUEST, REQUEST_FILE
from wsgilab.kubernetes.servers import NGINX_CONF

BASE = "../../base"
POD = "/spec/template/spec"
NODES = "wsgilab"
"""The label by which nodes are chosen: `servers` or `load`."""
CPU_OF_A_TRY = "10m"


def base(namespace: str, files: Sequence[str]) -> Json:
    """All that measures. A ConfigMap that changes has another name, so what mounts it is made anew."""
    return {
        **_kustomization(),
        "namespace": namespace,
        "resources": list(files),
        "configMapGenerator": [
            {"name": NGINX_CONF, "files": ["nginx.conf"]},
            {"name": REQUEST, "files": [REQUEST_FILE]},
        ],
        "generatorOptions": {"labels": LAB},
    }


def two_nodes() -> Json:
    """Servers on nodes of their own, so that the load takes nothing from them."""
    return {
        **_kustomization(),
        "resources": [BASE],
        "patches": [
            _patch({"kind": "Deployment"}, _add(f"{POD}/nodeSelector", {NODES: SERVERS})),
            _patch({"kind": "Job"}, _add(f"{POD}/nodeSelector", {NODES: LOAD})),
        ],
    }


def a_try(deployments: Sequence[Document]) -> Json:
    """For a cluster with few CPUs, a laptop's too: none is reserved."""
    patches = [_patch({"kind": found.kind, "name": found.name}, *_without_cpus(found.content)) for found in deployments]
    return {**_kustomization(), "resources": [BASE], "patches": patches}


def monitored(namespace: str, dashboards: Sequence[str]) -> Json:
    """With what a Prometheus operator, and a Grafana that looks for dashboards in ConfigMaps, find by themselves."""
    told = {"name": "LAB_PROMETHEUS_URL", "value": PROMETHEUS_URL}
    return {
        **_kustomization(),
        "namespace": namespace,
        "resources": [BASE, "monitoring.yaml"],
        "configMapGenerator": [
            {"name": f"dashboard-{name.partition('.')[0]}", "files": [f"dashboards/{name}"]} for name in dashboards
        ],
        "generatorOptions": {"disableNameSuffixHash": True, "labels": {**LAB, "grafana_dashboard": "1"}},
        "patches": [_patch({"kind": "Job"}, _add(f"{POD}/containers/0/env/-", told))],
    }


def _kustomization() -> Json:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


def _without_cpus(content: Json) -> Iterator[Json]:
    """A request next to nothing, and no limit: pods fit anywhere, and share the CPUs that there are."""
    for number, _ in enumerate(content["spec"]["template"]["spec"]["containers"]):
        place = f"{POD}/containers/{number}/resources"
        yield {"op": "replace", "path": f"{place}/requests/cpu", "value": CPU_OF_A_TRY}
        yield {"op": "remove", "path": f"{place}/limits/cpu"}


def _add(path: str, value: object) -> Json:
    return {"op": "add", "path": path, "value": value}


def _patch(target: Json, *operations: Json) -> Json:
    """JSON is YAML, and is what such a patch may be written in."""
    return {"target": target, "patch": json.dumps(operations, indent=2)}
