"""How a runner speaks to a cluster's API, and what it says when that refuses or falls silent."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_cluster import FakeCluster

from wsgilab.errors import LabError, MissingError
from wsgilab.machine.cluster_api import PODS, TESTRUNS, Cluster, Refused, Unreachable, explained, of_this_pod
from wsgilab.machine.ports import free_ports

KUBECTL = "kubectl --namespace wsgilab"


def made() -> dict[str, object]:
    return {"metadata": {"name": "lab-1"}, "spec": {"parallelism": 2}}


def test_what_is_made_is_there_until_it_is_removed() -> None:
    with FakeCluster() as cluster:
        api = cluster.client
        api.create(api.path(TESTRUNS), made())
        assert api.get(api.path(TESTRUNS, "lab-1"))["spec"] == {"parallelism": 2}
        api.delete(api.path(TESTRUNS, "lab-1"))
        api.delete(api.path(TESTRUNS, "lab-1"))  # as the operator may have done itself
        assert cluster.testruns == {}
        assert cluster.asked[-1].endswith("testruns/lab-1?propagationPolicy=Background"), "with its Jobs and pods"


def test_what_is_there_already_is_a_conflict() -> None:
    with FakeCluster() as cluster:
        api = cluster.client
        api.create(api.path(TESTRUNS), made())
        with pytest.raises(Refused, match="already exists") as raised:
            api.create(api.path(TESTRUNS), made())
        assert raised.value.status == 409


def test_a_log_comes_line_by_line() -> None:
    with FakeCluster() as cluster:
        cluster.ended("lab-1-1-x", "lab-1", 1, "one\ntwo\n")
        api = cluster.client
        with api.lines(api.path(PODS, "lab-1-1-x", "/log"), {"container": "k6"}) as lines:
            assert list(lines) == [b"one\n", b"two\n"]


@pytest.mark.parametrize(
    ("status", "said", "next_command"),
    [
        (403, "the Role of the runner", f"{KUBECTL} auth can-i --list --as system:serviceaccount:wsgilab:runner"),
        (404, "the k6-operator is not installed", "kubectl get customresourcedefinition testruns.k6.io"),
    ],
)
def test_a_refusal_is_explained(status: int, said: str, next_command: str) -> None:
    with FakeCluster() as cluster:
        cluster.refuse["POST"] = (status, "no")
        api = cluster.client
        with pytest.raises(Refused) as raised:
            api.create(api.path(TESTRUNS), made())
        error = explained(api, raised.value, "make a TestRun")
    assert error.what == f"The cluster did not let the runner make a TestRun: HTTP {status}: no"
    assert said in error.cause
    assert error.next_command == next_command


def test_a_silent_api_is_no_refusal() -> None:
    api = Cluster(f"http://127.0.0.1:{free_ports(1)[0]}", "wsgilab")
    with pytest.raises(Unreachable) as raised:
        api.get(api.path(PODS))
    error: LabError = explained(api, raised.value, "look for pods")
    assert isinstance(error, MissingError)
    assert "NetworkPolicy" in error.cause
    assert error.next_command == f"{KUBECTL} get networkpolicies"


def test_a_pod_knows_who_it_is_by_its_account(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="nobody in a cluster"):
        of_this_pod(tmp_path)
    (tmp_path / "namespace").write_text("lab-of-mine\n")
    (tmp_path / "token").write_text("secret\n")
    with FakeCluster() as cluster:
        api = of_this_pod(tmp_path, cluster.client.url)
        assert api.path(PODS) == "/api/v1/namespaces/lab-of-mine/pods"
        assert api._headers()["Authorization"] == "Bearer secret"
        (tmp_path / "token").write_text("newer\n")
        assert api._headers()["Authorization"] == "Bearer newer", "the kubelet replaces it"
