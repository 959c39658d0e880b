"""What a Prometheus operator of the cluster reads: whom to scrape, and by which rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wsgilab.kubernetes.containers import Json
from wsgilab.kubernetes.pods import COMPONENT, LAB, LOAD, SERVERS, Document
from wsgilab.kubernetes.policies import policy, tcp
from wsgilab.kubernetes.servers import EXPORTER, EXPORTER_PORT, NGINX, behind_nginx, exporter_ports
from wsgilab.model.server import Server

NAMESPACE = "monitoring"
"""Where a Prometheus of the operator usually is; a line to change for others."""
PROMETHEUS_PORT = 9090
PROMETHEUS_URL = f"http://prometheus-operated.{NAMESPACE}:{PROMETHEUS_PORT}"
"""The name that the operator itself gives to every Prometheus of a namespace."""
EVERY = "1s"
SAMPLE_LIMIT = 2000
"""As in prometheus/prometheus.yaml, for the reasons that stand there."""
CONTAINER = "__meta_kubernetes_pod_container_name"


def documents(servers: Sequence[Server], rules: Mapping[str, Any]) -> list[Document]:
    """All of it but the dashboards. `rules`: prometheus/rules.yaml."""
    return [_pod_monitor(servers), _rules(rules), *_policies(servers)]


def _pod_monitor(servers: Sequence[Server]) -> Document:
    """Every exporter, with the labels that rules and dashboards go by: those of prometheus/prometheus.yaml."""
    relabelings = [
        {"sourceLabels": [CONTAINER], "targetLabel": "server"},
        {"sourceLabels": [CONTAINER], "targetLabel": "instance", "replacement": f"$1:{EXPORTER_PORT}"},
        {"targetLabel": "job", "replacement": "servers"},
        *({**_of(server.name), "targetLabel": "via", "replacement": server.via} for server in behind_nginx(servers)),
        {**_of(EXPORTER), "targetLabel": "server", "replacement": NGINX},
        {**_of(EXPORTER), "targetLabel": "job", "replacement": NGINX},
    ]
    ports = dict.fromkeys(name for name, _ in exporter_ports(servers).values())
    content = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "wsgilab", "labels": LAB},
        "spec": {
            "selector": {"matchLabels": {COMPONENT: SERVERS, **LAB}},
            "sampleLimit": SAMPLE_LIMIT,
            "podMetricsEndpoints": [
                {"port": port, "interval": EVERY, "scrapeTimeout": EVERY, "relabelings": relabelings} for port in ports
            ],
        },
    }
    return Document("Once a second, for a window lasts seconds.", content)


def _of(container: str) -> Json:
    return {"sourceLabels": [CONTAINER], "regex": container}


def _rules(rules: Mapping[str, Any]) -> Document:
    content = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "wsgilab", "labels": LAB},
        "spec": {"groups": rules["groups"]},
    }
    return Document("prometheus/rules.yaml: every figure that a dashboard shows.", content)


def _policies(servers: Sequence[Server]) -> list[Document]:
    there = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}
    exporters = {"from": [there], "ports": tcp({number for _, number in exporter_ports(servers).values()})}
    receiver = {"to": [there], "ports": tcp({PROMETHEUS_PORT})}
    return [
        policy("from-prometheus", "Prometheus reads the exporters.", {COMPONENT: SERVERS}, {"ingress": [exporters]}),
        policy(
            "to-prometheus",
            "k6 and the runner push to it what no exporter knows.",
            {COMPONENT: LOAD},
            {"egress": [receiver]},
        ),
    ]
