"""Load by pods of the k6-operator: what lets the runner make them, and nothing more."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from manifests import EVERYTHING, Json, documents, files, matches, of_kind, pods
from support import ROOT

from wsgilab.kubernetes.pods import COMPONENT
from wsgilab.measure.pod_generators import START_PORT

FILES = files(EVERYTHING.but(generators=3), testruns=True)
TEMPLATE: Json = json.loads(FILES["base/testrun.json"])
RUNNER = pods(FILES)["runner"]["spec"]
USED = {
    ("k6.io", "testruns"): {"create", "get", "list", "delete"},
    ("", "pods"): {"get", "list", "watch"},
    ("", "pods/log"): {"get"},
}
"""What wsgilab/measure/pod_generators.py and pod_watch.py ask the API for."""


def test_the_runner_has_the_rights_that_it_uses_in_its_namespace_and_no_others() -> None:
    (role,) = of_kind(FILES, "Role").values()
    rights = {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert rights == USED
    assert of_kind(FILES, "ClusterRole") == of_kind(FILES, "ClusterRoleBinding") == {}
    (binding,) = of_kind(FILES, "RoleBinding").values()
    (account,) = of_kind(FILES, "ServiceAccount").values()
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"]}]


def test_nobody_but_the_runner_gets_a_token() -> None:
    assert (RUNNER["serviceAccountName"], RUNNER["automountServiceAccountToken"]) == ("runner", True)
    others = [pod["spec"] for name, pod in pods(FILES).items() if name != "runner"]
    assert not any(spec["automountServiceAccountToken"] for spec in others)
    for part in ("runner", "starter"):
        assert TEMPLATE["spec"][part]["automountServiceAccountToken"] == "false", "text, as the operator wants it"


def test_pods_of_a_testrun_are_guaranteed_and_locked_in_like_all_others() -> None:
    runner = TEMPLATE["spec"]["runner"]
    assert TEMPLATE["spec"]["parallelism"] == 3
    assert runner["resources"]["requests"] == runner["resources"]["limits"]
    assert runner["resources"]["limits"]["cpu"] == "1"
    for part in ("runner", "starter"):
        locked = TEMPLATE["spec"][part]["containerSecurityContext"]
        assert locked["readOnlyRootFilesystem"] is True
        assert locked["allowPrivilegeEscalation"] is False
        assert locked["capabilities"] == {"drop": ["ALL"]}
        assert TEMPLATE["spec"][part]["securityContext"]["runAsNonRoot"] is True


def test_nothing_that_is_latest_runs() -> None:
    for part in ("runner", "starter"):
        assert "latest" not in TEMPLATE["spec"][part]["image"]


def test_a_busy_k6_is_not_killed_for_being_late_and_is_asked_before_it_is_let_go() -> None:
    runner = TEMPLATE["spec"]["runner"]
    assert "exec" in runner["livenessProbe"], "the operator's own asks k6"
    assert runner["readinessProbe"]["httpGet"]["path"] == "/v1/status"


def test_k6_in_a_pod_is_the_one_that_tells_what_it_used() -> None:
    told = {variable["name"]: variable["value"] for variable in TEMPLATE["spec"]["runner"]["env"]}
    first = told["PATH"].partition(":")[0]
    assert (ROOT / first.removeprefix("/lab/") / "k6").stat().st_mode & 0o111
    assert told["LAB_K6"] == "/usr/bin/k6"


def test_the_script_that_a_testrun_names_is_in_a_config_map_with_all_that_it_imports() -> None:
    script = TEMPLATE["spec"]["script"]["configMap"]
    kustomization = yaml.safe_load(FILES["base/kustomization.yaml"])
    (generator,) = [one for one in kustomization["configMapGenerator"] if one["name"] == script["name"]]
    names = {Path(name).name for name in generator["files"]}
    assert script["file"] in names
    assert names == {path.name for path in (ROOT / "k6").glob("*.js")}
    assert generator["options"] == {"disableNameSuffixHash": True}, "a TestRun knows it by its name"


def allowed(direction: str, component: str) -> set[int]:
    """The ports that policies allow pods of a component in a direction."""
    policies = [policy["spec"] for policy in of_kind(FILES, "NetworkPolicy").values()]
    chosen = [one for one in policies if matches(one["podSelector"].get("matchLabels", {}), {COMPONENT: component})]
    return {port["port"] for one in chosen for rule in one.get(direction, ()) for port in rule["ports"]}


def test_policies_let_k6_begin_wait_and_be_read() -> None:
    assert allowed("ingress", "load") == {6565, START_PORT}
    assert {6565, 53} == allowed("egress", "starter")
    assert {53, 443, 6443, 8000, 8005, 9100, START_PORT} <= allowed("egress", "load")
    assert not {6565, START_PORT} & allowed("ingress", "servers")


def test_without_testruns_nothing_of_it_is_there() -> None:
    plain = files()
    assert "base/testrun.json" not in plain
    assert [kind for kind in ("Role", "RoleBinding", "ServiceAccount") if of_kind(plain, kind)] == []
    assert not [path for path, _ in documents(plain) if "testruns" in path]


@pytest.mark.parametrize("overlay", ["base", "overlays/two-nodes", "overlays/try", "overlays/monitored"])
def test_kustomize_builds_the_config_maps_that_it_needs(tmp_path: Path, overlay: str) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("no kubectl: kustomizations were not built")
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    done = subprocess.run(
        ["kubectl", "kustomize", str(tmp_path / overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all(done.stdout))
    maps = {found["metadata"]["name"]: found["data"] for found in objects if found["kind"] == "ConfigMap"}
    assert set(maps["k6-scripts"]) == {"load.js", "traffic.js", "workloads.js"}
    (job,) = [found for found in objects if found["kind"] == "Job"]
    told = job["spec"]["template"]["spec"]["containers"][0]["env"]
    (named,) = [one["valueFrom"]["configMapKeyRef"] for one in told if one["name"] == "LAB_TESTRUN"]
    template = json.loads(maps[named["name"]][named["key"]])
    assert template["spec"]["parallelism"] == 3
    runner = template["spec"]["runner"]
    assert runner.get("nodeSelector") == ({"wsgilab": "load"} if overlay.endswith("two-nodes") else None)
    assert runner["resources"]["requests"]["cpu"] == ("10m" if overlay.endswith("try") else "1")
    assert ("cpu" in runner["resources"]["limits"]) is not overlay.endswith("try")
