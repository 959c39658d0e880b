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
    configMapGenerator=several(
        record(
            {"name": NAME, "files": several(TEXT)},
            options=record({}, disableNameSuffixHash={"type": "boolean"}),
            behavior={"const": "replace"},
        )
    ),
    generatorOptions=record({}, labels=TEXTS, disableNameSuffixHash={"type": "boolean"}),
    patches=several(record({"target": record({"kind": TEXT}, name=NAME), "patch": TEXT})),
)
# k6.io/v1alpha1: https://github.com/grafana/k6-operator/blob/main/docs/crd-generated.md
PRESENT = {"type": "object"}
"""Of Kubernetes' own: the tests of pods look at those."""
BOOL_AS_TEXT: Schema = {"enum": ["true", "false"]}
OF_A_POD: dict[str, Schema] = {
    "metadata": record({}, labels=TEXTS, annotations=TEXTS),
    "automountServiceAccountToken": BOOL_AS_TEXT,
    "securityContext": PRESENT,
    "containerSecurityContext": PRESENT,
    "image": TEXT,
    "imagePullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "env": several(record({"name": TEXT, "value": TEXT})),
    "resources": record({}, requests=TEXTS, limits=TEXTS),
    "nodeSelector": TEXTS,
    "volumes": several(PRESENT),
    "volumeMounts": several(record({"name": TEXT, "mountPath": TEXT})),
    "livenessProbe": PRESENT,
    "readinessProbe": PRESENT,
}
TESTRUN = record(
    {
        "apiVersion": {"const": "k6.io/v1alpha1"},
        "kind": {"const": "TestRun"},
        "metadata": record({"name": NAME}, labels=TEXTS, annotations=TEXTS),
        "spec": record(
            {
                "parallelism": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
                "script": record({"configMap": record({"name": NAME, "file": TEXT})}),
            },
            args=several(TEXT),
            separate={"type": "boolean"},
            quiet=BOOL_AS_TEXT,
            paused=BOOL_AS_TEXT,
            cleanup={"const": "post"},
            initializer=record({"disabled": {"type": "boolean"}}),
            starter=record({}, **OF_A_POD),
            runner=record({}, **OF_A_POD),
        ),
    }
)
OWN = {"TestRun": TESTRUN, "PodMonitor": POD_MONITOR, "PrometheusRule": PROMETHEUS_RULE, "Kustomization": KUSTOMIZATION}
