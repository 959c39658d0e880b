"""Who may speak to whom in the namespace: the load to the servers, and nobody else to anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wsgilab.kubernetes.containers import Json
from wsgilab.kubernetes.pods import COMPONENT, LAB, LOAD, SERVERS, Document
from wsgilab.kubernetes.servers import alone, exporter_ports, nginx_ports
from wsgilab.lab.variants import inside_port
from wsgilab.model.server import Server

DNS = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
Rules = Mapping[str, Sequence[Json]]
"""`ingress`, `egress` or both, each with what is allowed."""


def namespace(name: str) -> Document:
    """The lab's own, in which no pod may be less locked in than these are."""
    level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    content = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**LAB, **level}}}
    return Document(f"`kubectl delete namespace {name}` removes all that is in it, results too.", content)


def policies(servers: Sequence[Server]) -> list[Document]:
    """The NetworkPolicies. They hold where the cluster's network keeps to such policies; not every one does."""
    ports = _ports(servers)
    return [
        policy("nobody", "What no other policy allows is forbidden, both ways.", {}, {"ingress": [], "egress": []}),
        policy(
            "to-servers",
            "Servers answer the load and ask nobody: an app that needs a database wants a policy of its own.",
            {COMPONENT: SERVERS},
            {"ingress": [{"from": [pods(LOAD)], "ports": ports}]},
        ),
        policy(
            "from-load",
            "The load asks servers, and whoever resolves names: on some nodes that is no pod, so the port says it.",
            {COMPONENT: LOAD},
            {"egress": [{"to": [pods(SERVERS)], "ports": ports}, {"ports": DNS}]},
        ),
    ]


def policy(name: str, about: str, whose: Json, rules: Rules) -> Document:
    """A NetworkPolicy for the pods with the labels `whose`; for all, without any."""
    content = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": LAB},
        "spec": {
            "podSelector": {"matchLabels": whose} if whose else {},
            "policyTypes": [direction.capitalize() for direction in rules],
            **{direction: list(allowed) for direction, allowed in rules.items() if allowed},
        },
    }
    return Document(about, content)


def pods(component: str) -> Json:
    """The pods of the servers, or of the load, as one side of a rule."""
    return {"podSelector": {"matchLabels": {COMPONENT: component}}}


def tcp(numbers: Iterable[int]) -> list[Json]:
    """Ports of a rule."""
    return [{"protocol": "TCP", "port": number} for number in sorted(numbers)]


def _ports(servers: Sequence[Server]) -> list[Json]:
    """Every port that something listens on in a pod of the servers."""
    exporters = {number for _, number in exporter_ports(servers).values()}
    return tcp({inside_port(server) for server in alone(servers)} | set(nginx_ports(servers).values()) | exporters)
