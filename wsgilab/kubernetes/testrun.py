"""Load by pods of the k6-operator: the TestRun that the runner makes for each window, and what lets it."""

from __future__ import annotations

from collections.abc import Sequence

from wsgilab.kubernetes.containers import Images, Json, resources
from wsgilab.kubernetes.pods import COMPONENT, LAB, LOAD, USER, Document
from wsgilab.kubernetes.policies import DNS, pods, policy, tcp
from wsgilab.lab.servers import Lab

SCRIPTS, ACCOUNT = "k6-scripts", "runner"
STARTER = "starter"
"""The component of the operator's own pod that lets the others begin."""
OPERATOR_NAMESPACE = "k6-operator-system"
"""Where its makers' files install it."""
REST_PORT, START_PORT = 6565, 6566
"""Where k6 takes the operator's word, and where the runner has pods wait for each other."""
API_PORTS = (443, 6443)
"""Of the cluster's API, before and after a Service leads to it."""
STARTER_IMAGE = "ghcr.io/grafana/k6-operator:starter-v1.6.0"
PATH = "/lab/k6/in-pod:/venv/bin:/usr/local/bin:/usr/bin:/bin"
"""`k6` leads to k6/in-pod/k6, which tells what the real one used."""


def testrun(lab: Lab, images: Images, parallelism: int) -> Json:
    """The TestRun without its name and its arguments, which each window adds."""
    return {
        "apiVersion": "k6.io/v1alpha1",
        "kind": "TestRun",
        "metadata": {"labels": {**LAB, COMPONENT: LOAD}},
        "spec": {
            "parallelism": parallelism,
            "script": {"configMap": {"name": SCRIPTS, "file": "load.js"}},
            # Nothing to archive, and nothing to inspect: the script is the lab's own.
            "initializer": {"disabled": True},
            "starter": {
                **_of_everyone(STARTER),
                "image": STARTER_IMAGE,
                "resources": {name: {"cpu": "100m", "memory": "64Mi"} for name in ("requests", "limits")},
            },
            "runner": {
                **_of_everyone(LOAD),
                "image": images.runner,
                "imagePullPolicy": "Never" if images.local else "IfNotPresent",
                "env": [
                    {"name": "PATH", "value": PATH},
                    {"name": "LAB_K6", "value": "/usr/bin/k6"},
                    {"name": "PYTHONPATH", "value": "/lab"},
                ],
                "resources": resources(lab.services["runner"]),
                "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory"}}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                # Both are there otherwise, and the first would kill a k6 that answers late.
                "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 3600},
                "readinessProbe": {"httpGet": {"path": "/v1/status", "port": REST_PORT}, "periodSeconds": 1},
            },
        },
    }


def account() -> list[Document]:
    """Who the runner is, and the least that it may do: make, see and remove TestRuns, and read their pods."""
    rules = [
        {"apiGroups": ["k6.io"], "resources": ["testruns"], "verbs": ["create", "get", "list", "delete"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    named = {"name": ACCOUNT, "labels": LAB}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
    api = "rbac.authorization.k8s.io/v1"
    return [
        Document("Who the runner is.", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named}),
        Document(
            "What it may do. The operator itself has a ClusterRole of its makers, which reads all secrets.",
            {"apiVersion": api, "kind": "Role", "metadata": named, "rules": rules},
        ),
        Document(
            "That it may.",
            {"apiVersion": api, "kind": "RoleBinding", "metadata": named, "subjects": [subject], "roleRef": role},
        ),
    ]


def policies() -> Sequence[Document]:
    """What the operator and the runner need besides: to begin, to wait for each other, to speak to the API."""
    operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": OPERATOR_NAMESPACE}}}
    began = {"from": [operator, pods(STARTER)], "ports": tcp({REST_PORT})}
    waits = {"from": [pods(LOAD)], "ports": tcp({START_PORT})}
    wait = {"to": [pods(LOAD)], "ports": tcp({START_PORT})}
    begin = {"to": [pods(LOAD)], "ports": tcp({REST_PORT})}
    return [
        policy("load-begins", "The operator lets k6 begin.", {COMPONENT: LOAD}, {"ingress": [began, waits]}),
        policy(
            "load-waits",
            "Pods wait for each other at the runner, which speaks to the API, wherever that is.",
            {COMPONENT: LOAD},
            {"egress": [wait, {"ports": tcp(API_PORTS)}]},
        ),
        policy("starter", "Asks k6 to begin.", {COMPONENT: STARTER}, {"egress": [begin, {"ports": DNS}]}),
    ]


def _of_everyone(component: str) -> Json:
    return {
        "metadata": {"labels": {**LAB, COMPONENT: component}},
        # Text, which is how the operator has it.
        "automountServiceAccountToken": "false",
        "securityContext": {"runAsUser": USER, "runAsGroup": USER, "runAsNonRoot": True},
        "containerSecurityContext": {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
