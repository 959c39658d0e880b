"""Every object that is written is one that an API server takes: checked here, where there is no cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_schemas import OWN
from manifests import EVERYTHING, Json, documents, files
from support import ROOT

from wsgilab.model.request import Request

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: manifests were not checked")
FILES = files()
REQUESTS = {
    "everything": EVERYTHING,
    "one without nginx": Request(servers=("gunicorn",), seed=1),
    "one behind nginx": Request(servers=("uwsgi",), seed=1),
}
OVERLAYS = ("base", "overlays/two-nodes", "overlays/try", "overlays/monitored")


def complaint(document: Json) -> str | None:
    """What is wrong with an object, or that nobody knows its kind; None where nothing is."""
    own = OWN.get(document["kind"])
    try:
        return jsonschema.validate(document, own) if own else _complaint_of_kubernetes(document)
    except jsonschema.ValidationError as error:
        return f"{error.json_path}: {error.message}"


@cache
def _of_kubernetes() -> Any:
    """Their package, which otherwise parses the definitions of all kinds again for each object."""
    package = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed: kinds of Kubernetes' own were not checked"
    )
    package.utils.schema_contents = cache(package.utils.schema_contents)
    return package


def _complaint_of_kubernetes(document: Json) -> str | None:
    kubernetes = _of_kubernetes()
    try:
        kubernetes.validate(document, kubernetes.latest_version(), strict=True)
    except kubernetes.SchemaNotFoundError:  # of which its command line would only warn
        return f"no such kind: {document['kind']}"
    return None


@pytest.mark.parametrize("testruns", [False, True], ids=["k6 in the runner", "TestRuns"])
@pytest.mark.parametrize("asked", REQUESTS)
def test_every_object_is_what_its_kind_wants(asked: str, testruns: bool) -> None:
    for _, document in documents(files(REQUESTS[asked], testruns)):
        assert complaint(document) is None, document["kind"]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("Deployment", lambda found: found["spec"].update(replicas="one")),
        ("Deployment", lambda found: found["spec"]["template"]["spec"]["containers"][0].update(imagePolicy="Never")),
        ("Service", lambda found: found["spec"]["ports"][0].update(targetport=1)),
        ("NetworkPolicy", lambda found: found["spec"].update(policyType=["Ingress"])),
        ("PodMonitor", lambda found: found["spec"].update(samplelimit=1)),
        ("PrometheusRule", lambda found: found["spec"]["groups"][0]["rules"][0].pop("expr")),
        ("Kustomization", lambda found: found.update(patchs=[])),
        ("Job", lambda found: found.update(kind="TestJob")),
    ],
)
def test_what_is_wrong_is_found(kind: str, change: Any) -> None:
    document = json.loads(json.dumps(next(found for _, found in documents(FILES) if found["kind"] == kind)))
    assert complaint(document) is None
    change(document)
    assert complaint(document)


def test_what_is_said_of_a_file_stands_above_it() -> None:
    for path, text in FILES.items():
        if path.endswith(".yaml"):
            assert text.startswith("# Written by ./lab kubernetes render"), path
        for part in text.split("---\n") if path.endswith(".yaml") else ():
            assert part.startswith("# "), path


def test_a_file_that_is_named_is_there() -> None:
    for path, document in documents(FILES):
        if document["kind"] != "Kustomization":
            continue
        folder = Path("/") / path
        named = [file for one in document.get("configMapGenerator", ()) for file in one["files"]]
        for name in (*document["resources"], *named):
            target = str((folder.parent / name).resolve()).removeprefix("/")
            assert target in FILES or f"{target}/kustomization.yaml" in FILES, (path, name)


def test_the_same_request_is_written_the_same_way() -> None:
    assert files() == FILES


def test_two_pods_never_share_an_anchor() -> None:
    for path, text in FILES.items():
        assert not path.endswith(".yaml") or "&id0" not in text, path


# ── as kustomize builds it ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Json]]:
    """The objects of each kustomization, as `kubectl kustomize` makes them. No cluster is asked."""
    if not shutil.which("kubectl"):
        pytest.skip("no kubectl: kustomizations were not built")
    folder = tmp_path_factory.mktemp("manifests")
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    found = {}
    for name in OVERLAYS:
        done = subprocess.run(["kubectl", "kustomize", str(folder / name)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "deprecated" not in done.stderr.lower()
        found[name] = list(yaml.safe_load_all(done.stdout))
    return found


def pods_of(objects: list[Json], kind: str) -> list[Json]:
    return [found["spec"]["template"]["spec"] for found in objects if found["kind"] == kind]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_kustomize_builds_is_valid_and_in_one_namespace(built: dict[str, list[Json]], overlay: str) -> None:
    for document in built[overlay]:
        assert complaint(document) is None, document["kind"]
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "wsgilab", document["metadata"]["name"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_config_map_that_a_pod_wants_is_there_under_its_hash(built: dict[str, list[Json]], overlay: str) -> None:
    there = {found["metadata"]["name"]: found for found in built[overlay] if found["kind"] == "ConfigMap"}
    (runner,) = pods_of(built[overlay], "Job")
    wanted = [each["valueFrom"]["configMapKeyRef"] for each in runner["containers"][0]["env"] if "valueFrom" in each]
    assert [there[each["name"]]["data"][each["key"]] for each in wanted] == [FILES["base/request.json"]]
    mounted = [
        volume["configMap"]["name"]
        for pod in pods_of(built[overlay], "Deployment")
        for volume in pod["volumes"]
        if "configMap" in volume
    ]
    assert [there[name]["data"] for name in mounted] == [{"nginx.conf": FILES["base/nginx.conf"]}]
    assert mounted[0].startswith("nginx-conf-"), "changed, it has another name, and the pod is made anew"


def test_servers_and_load_are_on_nodes_of_their_own_where_there_are_two(built: dict[str, list[Json]]) -> None:
    objects = built["overlays/two-nodes"]
    assert {str(pod["nodeSelector"]) for pod in pods_of(objects, "Deployment")} == {"{'wsgilab': 'servers'}"}
    assert [pod["nodeSelector"] for pod in pods_of(objects, "Job")] == [{"wsgilab": "load"}]
    assert "nodeSelector" not in str(built["base"])


def test_a_try_reserves_no_cpu_and_limits_none(built: dict[str, list[Json]]) -> None:
    objects = built["overlays/try"]
    for pod in (*pods_of(objects, "Deployment"), *pods_of(objects, "Job")):
        for container in pod["containers"]:
            assert container["resources"]["requests"]["cpu"] == "10m"
            assert set(container["resources"]["limits"]) == {"memory"}


def test_monitored_has_the_dashboards_and_a_runner_that_pushes(built: dict[str, list[Json]]) -> None:
    objects = built["overlays/monitored"]
    shipped = {path.name for path in (ROOT / "grafana/dashboards").glob("*.json")}
    shown = [
        found for found in objects
        if found["kind"] == "ConfigMap" and found["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
    ]  # fmt: skip
    assert {name for found in shown for name in found["data"]} == shipped
    for found in shown:
        for name, text in found["data"].items():
            assert json.loads(text) == json.loads((ROOT / "grafana/dashboards" / name).read_text())
    (runner,) = pods_of(objects, "Job")
    told = {each["name"]: each.get("value") for each in runner["containers"][0]["env"]}
    assert told["LAB_PROMETHEUS_URL"] == "http://prometheus-operated.monitoring:9090"
    assert "LAB_PROMETHEUS_URL" not in str(built["base"])
    (rules,) = [found["spec"] for found in objects if found["kind"] == "PrometheusRule"]
    assert rules == {"groups": yaml.safe_load((ROOT / "prometheus/rules.yaml").read_text())["groups"]}
