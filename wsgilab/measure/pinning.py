"""Whether servers really run on the CPUs that they were given, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Set

from wsgilab.errors import MissingError, UsageError
from wsgilab.lab.servers import parse_cpus
from wsgilab.machine.cpus import listed
from wsgilab.model import words

DELEGATE = (
    "sudo mkdir -p /etc/systemd/system/user@.service.d && "
    "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | "
    "sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload"
)
"""Lets a rootless engine set CPUs, after the next login
(https://docs.docker.com/engine/security/rootless/tips/#limiting-resources)."""

QUALITY = (
    "kubectl get pods --all-namespaces --selector app.kubernetes.io/part-of=wsgilab "
    "--output custom-columns=NAME:.metadata.name,NODE:.spec.nodeName,QOS:.status.qosClass"
)
"""Shows which pods could have CPUs of their own, and where they are."""


def not_pinned(wanted: Set[int], may_use: Mapping[str, str]) -> str | None:
    """Which servers may use other CPUs than they were given, as a sentence; None where none may.

    `may_use`: the list of CPUs that each server's exporter saw (`0-3`), empty where the system has no such thing.
    """
    if not all(may_use.values()):
        return "Not pinned: this system cannot pin a process to a CPU, so servers and load share all of them."
    elsewhere = {name: text for name, text in may_use.items() if not _within(text, wanted)}
    if not elsewhere:
        return None
    lists = " or ".join(dict.fromkeys(elsewhere.values()))
    return (
        f"Not pinned: {', '.join(elsewhere)} may use CPU {lists} and not only {listed(wanted)} (SERVER_CPUS), so "
        "servers and load may share CPUs."
    )


def not_alone(count: int, may_use: Mapping[str, str]) -> str | None:
    """Which pods may use other CPUs than the `count` that they asked for, as a sentence; None where none may.

    `may_use`: as for `not_pinned`. Which CPUs of its node a pod gets is the kubelet's choice: only their number tells.
    """
    crowded = {name: text for name, text in may_use.items() if _count(text) != count}
    if not crowded:
        return None
    lists = " or ".join(dict.fromkeys(text or "unknown" for text in crowded.values()))
    return (
        f"Not pinned: {', '.join(crowded)} may use CPU {lists}, and not {words.counted(count, 'CPU')} of their own, so "
        "they share CPUs with whatever else runs on the node."
    )


def not_pinned_error(sentence: str, engine: str) -> MissingError:
    """The same with its likely cause and its cure; the run goes on, less steadily."""
    if engine == "compose":
        cause = "a rootless engine whose user may not set CPUs; after this, log in again and start Docker again"
        return MissingError(sentence, cause, DELEGATE)
    if engine == "kubernetes":
        cause = "the kubelet of the node has no static CPU manager policy, or the pods are not Guaranteed (overlay try)"
        return MissingError(sentence, cause, QUALITY)
    return MissingError(sentence, "the system has no way to do that, or the server pins itself", "./lab doctor")


def _count(text: str) -> int | None:
    """How many CPUs are in a list; None where it is none."""
    try:
        return len(parse_cpus("cpus", text))
    except UsageError:
        return None


def _within(text: str, wanted: Set[int]) -> bool:
    try:
        return parse_cpus("cpus", text) <= wanted
    except UsageError:
        return False
