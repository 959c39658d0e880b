"""Kustomizations: the base, and what lies over it on another kind of cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from wsgilab.kubernetes.containers import Json
from wsgilab.kubernetes.monitoring import PROMETHEUS_URL
from wsgilab.kubernetes.pods import LAB, LOAD, SERVERS, Document
from wsgilab.kubernetes.runner import REQUEST, REQUEST_FILE, TESTRUN, TESTRUN_FILE
from wsgilab.kubernetes.servers import NGINX_CONF
from wsgilab.kubernetes.testrun import SCRIPTS

BASE = "../../base"
POD = "/spec/template/spec"
NODES = "wsgilab"
"""The label by which nodes are chosen: `servers` or `load`."""
CPU_OF_A_TRY = "10m"


def base(namespace: str, files: Sequence[str], scripts: Sequence[str]) -> Json:
    """All that measures. A ConfigMap that changes has another name, so what mounts it is made anew.

    `scripts`: those of k6, where the k6-operator is to have them; of their ConfigMap a TestRun knows the name.
    """
    of_testruns = [
        {"name": TESTRUN, "files": [TESTRUN_FILE]},
        {"name": SCRIPTS, "files": list(scripts), "options": {"disableNameSuffixHash": True}},
    ]
    return {
        **_kustomization(),
        "namespace": namespace,
        "resources": list(files),
        "configMapGenerator": [
            {"name": NGINX_CONF, "files": ["nginx.conf"]},
            {"name": REQUEST, "files": [REQUEST_FILE]},
            *(of_testruns if scripts else []),
        ],
        "generatorOptions": {"labels": LAB},
    }


def two_nodes(namespace: str, testruns: bool) -> Json:
    """Servers on nodes of their own, so that the load takes nothing from them."""
    return {
        **_kustomization(),
        **(_own_testrun(namespace) if testruns else {}),
        "resources": [BASE],
        "patches": [
            _patch({"kind": "Deployment"}, _add(f"{POD}/nodeSelector", {NODES: SERVERS})),
            _patch({"kind": "Job"}, _add(f"{POD}/nodeSelector", {NODES: LOAD})),
        ],
    }


def a_try(namespace: str, deployments: Sequence[Document], testruns: bool) -> Json:
    """For a cluster with few CPUs, a laptop's too: none is reserved."""
    patches = [_patch({"kind": found.kind, "name": found.name}, *_without_cpus(found.content)) for found in deployments]
    own = _own_testrun(namespace) if testruns else {}
    return {**_kustomization(), **own, "resources": [BASE], "patches": patches}


def on_load_nodes(testrun: Json) -> Json:
    """A TestRun whose pods are where two kinds of nodes have the load."""
    spec = testrun["spec"]
    placed = {part: {**spec[part], "nodeSelector": {NODES: LOAD}} for part in ("runner", "starter")}
    return {**testrun, "spec": {**spec, **placed}}


def without_cpus(testrun: Json) -> Json:
    """A TestRun whose pods fit anywhere."""
    runner = testrun["spec"]["runner"]
    amount = runner["resources"]["limits"]["memory"]
    resources = {"requests": {"cpu": CPU_OF_A_TRY, "memory": amount}, "limits": {"memory": amount}}
    return {**testrun, "spec": {**testrun["spec"], "runner": {**runner, "resources": resources}}}


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


def _own_testrun(namespace: str) -> Json:
    """In place of the one of the base, of which it is told by its namespace as well."""
    return {
        "namespace": namespace,
        "configMapGenerator": [{"name": TESTRUN, "behavior": "replace", "files": [TESTRUN_FILE]}],
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
