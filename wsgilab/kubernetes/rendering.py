"""Everything that `./lab kubernetes render` writes, as texts by their paths."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wsgilab.errors import UsageError, to_paste
from wsgilab.kubernetes import monitoring, overlays, policies, runner, servers, testrun
from wsgilab.kubernetes.containers import Images, Json
from wsgilab.kubernetes.pods import Document
from wsgilab.lab.servers import NAMESPACE, Lab, variables_of
from wsgilab.lab.variants import nginx_blocks
from wsgilab.model.request import Request
from wsgilab.model.server import Server

WRITTEN = "Written by ./lab kubernetes render, from compose.yaml; that writes it anew."
PULLING_S = 300.0
"""A node may have to pull images before a server starts there: so long at least the runner waits for one."""
NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
"""What Kubernetes takes for the name of a Service."""
LARGEST_BYTES = 900_000
"""Of a file in a ConfigMap, which holds 1 MiB at most."""
ABOUT_BASE = "All that measures: kubectl apply --server-side --kustomize base"
ABOUT_TWO_NODES = (
    "Servers and load on nodes of their own: `kubectl label node NAME wsgilab=servers`, another one wsgilab=load."
)
ABOUT_TRY = "Fits on one node, and shows that all of it works. Memory is reserved and no CPU: its figures mean nothing."
ABOUT_MONITORED = (
    f"For a Prometheus operator in the namespace {monitoring.NAMESPACE}. Its Prometheus must select what is in other "
    "namespaces without a label of its own, and needs enableRemoteWriteReceiver for what k6 and the runner push."
)
OF_THIS_MACHINE = {"LAB_APP_DIR", "LAB_RESULTS_DIR"}
"""Variables of compose.yaml that name its folders."""


@dataclass(frozen=True)
class Order:
    """What is to be measured in a cluster, and where."""

    lab: Lab
    servers: Sequence[Server]
    request: Request
    images: Images
    namespace: str
    testruns: bool = False
    """Whether the k6-operator drives the load."""


class _Plain(yaml.SafeDumper):
    """Without anchors: what two pods share stands in both."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Whether an object is written out each time."""
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Several lines as several lines."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _Plain.represent_text)


def rendered(order: Order) -> Mapping[str, str]:
    """Path → text of every file. Raises UsageError for what a cluster cannot have."""
    _require_app_in_image(order.lab)
    _require_names([order.namespace, *(server.name for server in order.servers)])
    reader = runner.reader(order.images, order.namespace)
    return {**_base(order), **_overlays(order), "results.yaml": _text([reader])}


def request_inside(order: Order) -> Request:
    """The request as the runner in the cluster carries it out: with all that .env says here, for its image has another.

    Images are among the settings, so that the manifest of the run has them; so is the namespace, for hints.
    """
    known = variables_of(order.lab.root) - OF_THIS_MACHINE
    said = {name: value for name, value in order.lab.variables.items() if name in known}
    images = {"SERVER_IMAGE": order.images.server, "RUNNER_IMAGE": order.images.runner}
    where = {NAMESPACE: order.namespace}
    return order.request.but(
        engine="kubernetes",
        settings={**said, **images, **where},
        start_timeout_s=max(order.request.start_timeout_s, PULLING_S),
        results=None,
        spare_results=None,
        lock=None,
        prometheus_url=None,
    )


def _base(order: Order) -> dict[str, str]:
    lab = order.lab
    shipped = (lab.root / "services/nginx/nginx.conf").read_text(encoding="utf-8")
    files = {
        "namespace.yaml": [policies.namespace(order.namespace)],
        "servers.yaml": servers.deployments(lab, order.servers, order.images),
        "services.yaml": list(servers.services(order.servers)),
        "network.yaml": policies.policies(order.servers),
        "runner.yaml": [runner.claim(), runner.job(lab, order.images, order.namespace, order.testruns)],
    }
    more = _of_testruns(order) if order.testruns else {}
    if more:
        files |= {"testruns.yaml": [*testrun.account(), *testrun.policies()]}
    scripts = [name for name in more if name.endswith(".js")]
    texts = {
        "kustomization.yaml": _kustomization(ABOUT_BASE, overlays.base(order.namespace, list(files), scripts)),
        **more,
        **{name: _text(documents) for name, documents in files.items()},
        "nginx.conf": nginx_blocks(shipped, lab.servers),
        runner.REQUEST_FILE: f"{request_inside(order).to_json()}\n",
    }
    return {f"base/{name}": text for name, text in texts.items()}


def _of_testruns(order: Order) -> dict[str, str]:
    """The TestRun that the runner fills in for each window, and k6's scripts."""
    scripts = sorted((order.lab.root / "k6").glob("*.js"))
    return {
        runner.TESTRUN_FILE: _json(_testrun(order)),
        **{f"k6/{path.name}": path.read_text(encoding="utf-8") for path in scripts},
    }


def _overlays(order: Order) -> dict[str, str]:
    root = order.lab.root
    dashboards = {path.name: path for path in sorted((root / "grafana/dashboards").glob("*.json"))}
    rules = yaml.safe_load((root / "prometheus/rules.yaml").read_text(encoding="utf-8"))
    deployed = servers.deployments(order.lab, order.servers, order.images)
    job = runner.job(order.lab, order.images, order.namespace, order.testruns)
    monitored = overlays.monitored(order.namespace, list(dashboards))
    two_nodes = overlays.two_nodes(order.namespace, order.testruns)
    a_try = overlays.a_try(order.namespace, [*deployed, job], order.testruns)
    own = {
        f"two-nodes/{runner.TESTRUN_FILE}": _json(overlays.on_load_nodes(_testrun(order))),
        f"try/{runner.TESTRUN_FILE}": _json(overlays.without_cpus(_testrun(order))),
    }
    texts = {
        "two-nodes/kustomization.yaml": _kustomization(ABOUT_TWO_NODES, two_nodes),
        "try/kustomization.yaml": _kustomization(ABOUT_TRY, a_try),
        **(own if order.testruns else {}),
        "monitored/kustomization.yaml": _kustomization(ABOUT_MONITORED, monitored),
        "monitored/monitoring.yaml": _text(monitoring.documents(order.servers, rules)),
        **{f"monitored/dashboards/{name}": _compact(path) for name, path in dashboards.items()},
    }
    return {f"overlays/{name}": text for name, text in texts.items()}


def _testrun(order: Order) -> Json:
    return testrun.testrun(order.lab, order.images, order.request.generators)


def _json(content: Json) -> str:
    return json.dumps(content, indent=2) + "\n"


def _compact(path: Path) -> str:
    """A dashboard without the room between its words. Raises UsageError where a ConfigMap cannot hold it."""
    text = json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > LARGEST_BYTES:
        cause = "a dashboard that has grown; a ConfigMap holds 1 MiB"
        raise UsageError(f"{path.name} is too large for a cluster.", cause, to_paste("ls", "-l", path))
    return text


def _require_app_in_image(lab: Lab) -> None:
    if lab.variables.get("LAB_APP_DIR"):
        raise UsageError(
            "LAB_APP_DIR names a folder of this machine, and pods see only what is in their image.",
            "it is set in .env or the environment; docs/how-to.md says how an image gets an app, for --server-image",
            "git diff .env",
        )


def _require_names(names: Sequence[str]) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise UsageError(
                f"Nothing in a cluster can be called '{name}'.",
                "a name there begins with a lower-case letter and ends with one or a digit; dashes may stand between",
                "./lab kubernetes --help",
            )


def _kustomization(about: str, content: Json) -> str:
    return f"{_comment(WRITTEN)}{_comment(about)}{_yaml(content)}"


def _text(documents: Sequence[Document]) -> str:
    parts = [f"{_comment(document.about)}{_yaml(document.content)}" for document in documents]
    return _comment(WRITTEN) + "---\n".join(parts)


def _comment(text: str) -> str:
    return f"# {text}\n"


def _yaml(content: Json) -> str:
    return yaml.dump(content, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=1000)
