"""Kinds that Kubernetes itself does not have, as far as the lab uses them, in our own words and closed.

A key that is not here is an error. Their makers' schemas are in no package.

PodMonitor, PrometheusRule: https://prometheus-operator.dev/docs/api-reference/api/
Kustomization: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}


def record(needed: dict[str, Schema], **optional: Schema) -> Schema:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**needed, **optional},
        "required": list(needed),
        "additionalProperties": False,
    }


def several(one: Schema, least: int = 1) -> Schema:
    return {"type": "array", "items": one, "minItems": least}


def resource(api: str, kind: str, spec: Schema) -> Schema:
    metadata = record({"name": NAME}, labels=TEXTS, namespace=NAME)
    return record({"apiVersion": {"const": api}, "kind": {"const": kind}, "metadata": metadata, "spec": spec})


RELABELING = record(
    {"targetLabel": TEXT},
    sourceLabels=several({"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}),
    regex=TEXT,
    replacement=TEXT,
)
POD_MONITOR = resource(
    "monitoring.coreos.com/v1",
    "PodMonitor",
    record(
        {
            "selector": record({"matchLabels": TEXTS}),
            "podMetricsEndpoints": several(
                record({"port": NAME}, interval=DURATION, scrapeTimeout=DURATION, relabelings=several(RELABELING))
            ),
        },
        sampleLimit={"type": "integer", "minimum": 1},
    ),
)
RULE = record({"expr": TEXT}, record=TEXT, alert=TEXT, labels=TEXTS, annotations=TEXTS, **{"for": DURATION})
PROMETHEUS_RULE = resource(
    "monitoring.coreos.com/v1",
    "PrometheusRule",
    record({"groups": several(record({"name": TEXT, "rules": several(RULE)}, interval=DURATION))}),
)
KUSTOMIZATION = record(
    {
        "apiVersion": {"const": "kustomize.config.k8s.io/v1beta1"},
        "kind": {"const": "Kustomization"},
        "resources": several(TEXT),
    },
    namespace=NAME,
    configMapGenerator=several(record({"name": NAME, "files": several(TEXT)})),
    generatorOptions=record({}, labels=TEXTS, disableNameSuffixHash={"type": "boolean"}),
    patches=several(record({"target": record({"kind": TEXT}, name=NAME), "patch": TEXT})),
)
OWN = {"PodMonitor": POD_MONITOR, "PrometheusRule": PROMETHEUS_RULE, "Kustomization": KUSTOMIZATION}
