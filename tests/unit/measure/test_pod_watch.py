"""What a runner knows of the pods of a TestRun, however the API tells it."""

from __future__ import annotations

import pytest
from fake_cluster import FakeCluster
from support import wait_for

from wsgilab.measure.pod_watch import PodSeen, PodWatch, pod_seen

RUN = "lab-1"


def seen(watch: PodWatch, number: int = 1) -> PodSeen:
    wait_for(lambda: watch.pod(number), f"pod {number}", patience_s=10)
    pod = watch.pod(number)
    assert pod
    return pod


def watches(cluster: FakeCluster) -> list[str]:
    return [asked for asked in cluster.asked if "watch=true" in asked]


def test_pods_that_were_there_before_and_those_that_come_are_seen() -> None:
    with FakeCluster() as cluster:
        cluster.pod("lab-1-1-x", RUN, 1, phase="Pending")
        cluster.pod("other", "lab-2", 2, phase="Running")
        with PodWatch(cluster.client, RUN) as watch:
            assert seen(watch, 1) == PodSeen("lab-1-1-x", 1)
            cluster.pod("lab-1-2-y", RUN, 2, phase="Running")
            assert seen(watch, 2).name == "lab-1-2-y"
            cluster.ended("lab-1-2-y", RUN, 2, "")
            wait_for(lambda: seen(watch, 2).exit_code == 0, "its end", patience_s=10)
            assert not seen(watch, 2).failed
        assert "labelSelector=k6_cr%3Dlab-1%2Crunner%3Dtrue" in cluster.asked[0]


def test_a_watch_that_breaks_off_within_a_line_goes_on() -> None:
    with FakeCluster() as cluster, PodWatch(cluster.client, RUN) as watch:
        cluster.pod("a", RUN, 1, phase="Running")
        seen(watch)
        wait_for(lambda: watches(cluster), "a watch", patience_s=10)
        cluster.cut_watches()
        cluster.ended("a", RUN, 1, "")
        wait_for(lambda: seen(watch).exit_code == 0, "what happened meanwhile", patience_s=10)


@pytest.mark.parametrize("when", ["while it is open", "while it is closed"])
def test_what_is_too_long_ago_for_a_watch_is_listed_anew(when: str) -> None:
    """410 Gone comes as an event in a watch, and as the answer to one."""
    with FakeCluster() as cluster, PodWatch(cluster.client, RUN) as watch:
        cluster.pod("a", RUN, 1, phase="Running")
        seen(watch)
        wait_for(lambda: watches(cluster), "a watch", patience_s=10)
        if when == "while it is closed":
            cluster.version += 5
            cluster.forget()
            cluster.cut_watches()
        else:
            cluster.version += 5
            cluster.forget()
        lists = len([asked for asked in cluster.asked if "watch" not in asked])
        wait_for(
            lambda: len([asked for asked in cluster.asked if "watch" not in asked]) > lists, "a list", patience_s=10
        )
        cluster.ended("a", RUN, 1, "")
        wait_for(lambda: seen(watch).exit_code == 0, "its end", patience_s=10)
        assert watch.trouble == ""


def test_a_pod_that_goes_while_nobody_watches_is_gone() -> None:
    with FakeCluster() as cluster, PodWatch(cluster.client, RUN) as watch:
        cluster.pod("a", RUN, 1, phase="Running")
        seen(watch)
        cluster.pods.pop("a")
        cluster.version += 1
        cluster.forget()
        cluster.cut_watches()
        wait_for(lambda: seen(watch).failed, "its end", patience_s=10)
        assert seen(watch).ended == "removed"


def test_a_pod_that_is_removed_before_it_ends_has_failed_and_one_after_has_not() -> None:
    with FakeCluster() as cluster, PodWatch(cluster.client, RUN) as watch:
        cluster.pod("a", RUN, 1, phase="Running")
        cluster.ended("b", RUN, 2, "")
        seen(watch, 1), seen(watch, 2)
        cluster.remove_pod("a")
        cluster.remove_pod("b")
        wait_for(lambda: seen(watch, 1).ended == "removed", "that it went", patience_s=10)
        assert not seen(watch, 2).failed


def test_an_api_that_refuses_is_asked_again_and_says_why() -> None:
    with FakeCluster() as cluster:
        cluster.refuse["GET"] = (403, "pods is forbidden")
        with PodWatch(cluster.client, RUN) as watch:
            wait_for(lambda: "forbidden" in watch.trouble, "the trouble", patience_s=10)
            cluster.refuse.clear()
            cluster.pod("a", RUN, 1)
            seen(watch)
            wait_for(lambda: watch.trouble == "", "its end", patience_s=10)


POD = {"metadata": {"name": "p", "labels": {"job-name": "lab-1-3"}}, "spec": {"nodeName": "node-a"}}
UNPLACED = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."}
NO_IMAGE = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}


@pytest.mark.parametrize(
    ("status", "waits"),
    [
        ({"conditions": [UNPLACED]}, "0/3 nodes are available: 3 Insufficient cpu."),
        ({"containerStatuses": [{"name": "k6", "state": NO_IMAGE}]}, "ImagePullBackOff: Back-off pulling image"),
        ({"conditions": [{**UNPLACED, "status": "True"}]}, ""),
        ({}, ""),
    ],
)
def test_why_a_pod_waits_is_what_the_cluster_says(status: dict[str, object], waits: str) -> None:
    found = pod_seen({**POD, "status": status})
    assert found
    assert (found.number, found.node, found.waits) == (3, "node-a", waits)


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Failed"}, "failed"),
        ({"phase": "Succeeded"}, ""),
    ],
)
def test_how_a_pod_ended_is_what_the_cluster_says(status: dict[str, object], ended: str) -> None:
    found = pod_seen({**POD, "status": status})
    assert found
    assert found.ended == ended


def test_another_container_in_the_pod_is_not_k6() -> None:
    proxy = {"name": "istio-proxy", "state": {"terminated": {"exitCode": 1}}}
    k6 = {"name": "k6", "state": {"terminated": {"exitCode": 0}}}
    found = pod_seen({**POD, "status": {"phase": "Succeeded", "containerStatuses": [proxy, k6]}})
    assert found
    assert (found.exit_code, found.failed) == (0, False)
    assert pod_seen({"metadata": {"name": "starter"}, "status": {}}) is None
