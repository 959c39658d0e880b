"""A service of compose.yaml as a container of a pod: every key is translated, or left out for a reason given here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wsgilab.errors import UsageError
from wsgilab.lab.servers import parse_cpus

Json = dict[str, Any]

TRANSLATED = frozenset(
    {
        "image",
        "pull_policy",
        "entrypoint",
        "command",
        "environment",
        "user",
        "read_only",
        "cap_drop",
        "security_opt",
        "cpuset",
        "mem_limit",
        "tmpfs",
        "volumes",
        "healthcheck",
    }
)
LEFT_OUT: Mapping[str, str] = {
    "init": "the pod's own first process adopts orphans and collects the dead, as all pods share their processes",
    "pid": "as above",
    "pids_limit": "the kubelet's business (podPidsLimit)",
    "restart": "a Deployment starts what ends again; a Job here does not",
    "depends_on": "the runner waits for what it needs",
    "build": "images are built before",
    "logging": "the container runtime's business",
    "attach": "there is no terminal",
    "profiles": "what is rendered was asked for",
    "ports": "nothing is published outside of the cluster",
    "labels": "the runner reads them in compose.yaml",
}
LOCKED_IN = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
IN_THE_IMAGE = ("/srv/app", "/lab/compose.yaml", "/lab/.env", "/lab/k6")
"""What Compose mounts from the clone, and images have as they were built."""
MEMORY = re.compile(r"(\d+)([kmg])")
PATIENCE_S = 600
"""How long a container may take to start: Kubernetes begins it anew after that, which Compose never does."""
LEAST_PERIOD_S = 1
"""Kubernetes knows no shorter one."""


@dataclass(frozen=True)
class Images:
    """The images of the lab's own; all others are those that compose.yaml names."""

    server: str
    runner: str
    local: bool = False
    """Whether they were only loaded into the nodes, so that no registry has them."""

    def named(self, image: str) -> str:
        """What an image of compose.yaml is called in the cluster."""
        return {"wsgilab-server:local": self.server, "wsgilab-runner:local": self.runner}.get(image, image)


@dataclass(frozen=True)
class Part:
    """A container of a pod, and the volumes that it mounts."""

    container: Json
    volumes: tuple[Json, ...]


@dataclass(frozen=True)
class Shape:
    """What a pod gives a container otherwise than Compose does."""

    mounts: Mapping[str, Json] = field(default_factory=dict)
    """Where a volume or a file of compose.yaml is mounted → the volume there instead."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that are not as in compose.yaml."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """The ports that it listens on, by name."""
    cpu: str | None = None
    """Instead of as many whole CPUs as its cpuset has."""


def part(name: str, service: Mapping[str, Any], images: Images, shape: Shape) -> Part:
    """A service with its variables filled in, as a container of this name.

    Raises UsageError for a key that is neither translated nor left out: somebody has added it to compose.yaml.
    """
    _require_known(name, service)
    volumes = tuple(_volumes(name, service, shape))
    container: Json = {
        "name": name,
        "image": images.named(service["image"]),
        "imagePullPolicy": "Never" if images.local and service.get("pull_policy") == "never" else "IfNotPresent",
        **_words("command", service.get("entrypoint")),
        **_words("args", service.get("command")),
        "env": _environment({**service.get("environment", {}), **shape.environment}),
        "ports": [{"name": port, "containerPort": number} for port, number in shape.ports.items()],
        "resources": resources(service, shape.cpu),
        "securityContext": _security(service),
        "volumeMounts": [mount for mount, _ in volumes],
        **(_probes(service["healthcheck"]) if "healthcheck" in service else {}),
    }
    return Part({key: value for key, value in container.items() if value != []}, tuple(volume for _, volume in volumes))


def resources(service: Mapping[str, Any], cpu: str | None = None) -> Json:
    """Requests that are limits, of whole CPUs: a Guaranteed pod, which the static CPU manager gives CPUs of its own."""
    both = {"cpu": cpu or str(len(parse_cpus("cpuset", service["cpuset"]))), "memory": memory(service["mem_limit"])}
    return {"requests": both, "limits": both}


def memory(compose: str) -> str:
    """`512m` → `512Mi`: Compose's units are powers of 1024, Kubernetes' without an i are not. Raises UsageError."""
    found = MEMORY.fullmatch(str(compose).lower().removesuffix("b"))
    if not found:
        cause = "SERVER_MEMORY or LOAD_MEMORY in .env or the environment; a number with k, m or g is understood here"
        raise UsageError(f"'{compose}' is not an amount of memory.", cause, "git diff .env")
    return f"{found[1]}{found[2].replace('k', 'K').replace('m', 'M').replace('g', 'G')}i"


def seconds(compose: str) -> float:
    """`500ms` → 0.5, `60s` → 60. Raises ValueError for other durations."""
    found = re.fullmatch(r"(\d+)(ms|s|m)", compose)
    if not found:
        raise ValueError(compose)
    return int(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[found[2]]


def literally(text: str) -> str:
    """A text that Kubernetes leaves as it is: in words and variables it fills in `$(NAME)`, and makes `$$` a `$`."""
    return text.replace("$", "$$")


def _require_known(name: str, service: Mapping[str, Any]) -> None:
    unknown = sorted(set(service) - TRANSLATED - set(LEFT_OUT))
    if unknown:
        what = f"compose.yaml sets `{unknown[0]}` for {name}, and the lab does not know what that is in a cluster."
        cause = "a key that is new there; wsgilab/kubernetes/containers.py names those that are known"
        raise UsageError(what, cause, "git diff compose.yaml")
    for key, value in LOCKED_IN.items():
        if service.get(key) != value:
            cause = "it is what locks a container in, and a pod is locked in by this much"
            raise UsageError(f"`{key}` of {name} is not {value}.", cause, "git diff compose.yaml")


def _words(key: str, said: str | Sequence[str] | None) -> Json:
    if said is None:
        return {}
    return {key: [literally(word) for word in (said.split() if isinstance(said, str) else said)]}


def _environment(variables: Mapping[str, Any]) -> list[Json]:
    """Those without a value are handed on by Compose from its own environment: there is none here."""
    told = {name: value for name, value in variables.items() if value is not None}
    return [{"name": name, "value": literally(str(value))} for name, value in told.items()]


def _security(service: Mapping[str, Any]) -> Json:
    user, group = (int(number) for number in service["user"].split(":"))
    return {
        "runAsUser": user,
        "runAsGroup": group,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        # Docker's own default, which Kubernetes has to be told.
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _probes(check: Mapping[str, Any]) -> Json:
    """Often while it starts, seldom afterwards, and never to kill: that a server answers late is what is measured."""
    probe = {"exec": {"command": [literally(word) for word in check["test"][1:]]}}
    timeout_s = math.ceil(seconds(check["timeout"]))
    every_s = max(LEAST_PERIOD_S, math.ceil(seconds(check["start_interval"])))
    return {
        "startupProbe": {
            **probe,
            "timeoutSeconds": timeout_s,
            "periodSeconds": every_s,
            "failureThreshold": math.ceil(PATIENCE_S / every_s),
        },
        "readinessProbe": {
            **probe,
            "timeoutSeconds": timeout_s,
            "periodSeconds": math.ceil(seconds(check["interval"])),
            "failureThreshold": check["retries"],
        },
    }


def _volumes(name: str, service: Mapping[str, Any], shape: Shape) -> Iterator[tuple[Json, Json]]:
    """(how it is mounted, what it is) of each volume that is left. Raises UsageError for one that nobody knows."""
    for entry in service.get("tmpfs", ()):
        target = entry.partition(":")[0]
        yield _mounted(target, {"name": f"{name}{target.replace('/', '-')}", "emptyDir": {"medium": "Memory"}})
    for entry in service.get("volumes", ()):
        target = _target(entry)
        if target in shape.mounts:
            yield _mounted(target, shape.mounts[target])
        elif target not in IN_THE_IMAGE:
            what = f"{name} mounts {target}, and the lab does not know what that is in a cluster."
            raise UsageError(what, "a volume that is new in compose.yaml", "git diff compose.yaml")


def _mounted(target: str, volume: Json) -> tuple[Json, Json]:
    """A ConfigMap is mounted as the folder that its file is in: it has no other."""
    if "configMap" in volume:
        return {"name": volume["name"], "mountPath": target.rpartition("/")[0], "readOnly": True}, volume
    return {"name": volume["name"], "mountPath": target}, volume


def _target(entry: str) -> str:
    """`./services/app:/srv/app:ro,z` → `/srv/app`."""
    return next(word for word in reversed(entry.split(":")) if word.startswith("/"))
