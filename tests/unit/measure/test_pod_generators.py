"""A window whose load pods drive, in a cluster that is slow, forgetful, or does not tell the truth."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from cluster_schemas import OWN
from factories import plan
from fake_cluster import NAMESPACE, FakeCluster
from support import wait_for

from wsgilab.engines import Endpoint
from wsgilab.errors import LabError, MissingError, UsageError
from wsgilab.kubernetes import testrun as of_cluster
from wsgilab.kubernetes.containers import Images
from wsgilab.lab import ROOT
from wsgilab.lab.servers import load_lab
from wsgilab.machine import http
from wsgilab.measure import pod_generators
from wsgilab.measure.k6_command import Traffic
from wsgilab.measure.pod_generators import PodGenerators, filled_in, in_pods
from wsgilab.measure.pod_load import told_in

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: TestRuns were not checked")
Json = dict[str, Any]
COUNT = 3
EACH = 20
"""Requests of each pod."""
AT = Endpoint("http://gunicorn:8000", "", None)
TEMPLATE = of_cluster.testrun(load_lab(ROOT, {}), Images("server@sha256:1", "runner@sha256:2"), COUNT)
START = 1_700_000_000_000


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_generators, "_own_address", lambda: "127.0.0.1")


def settings_of(made: Json) -> dict[str, str]:
    """What the script is told, out of the arguments of a TestRun."""
    words = made["spec"]["args"]
    return dict(words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "-e")


def log_of(number: int, ok: int = EACH, told: int = EACH) -> str:
    """The log of a pod: requests that k6 tells of one by one, its summary, what it used."""
    lines = [
        f'time="2026-11-26T06:58:38Z" level=info msg=R/{tick * COUNT + number - 1}/{START + tick}/200/{number}.5/ok/-1 '
        "source=console"
        for tick in range(told)
    ]
    ahead_ms = 7_000 * number  # the clocks of nodes
    summary = {
        **{
            "period_s": 0.05,
            "scheduled": EACH,
            "scheduled_in_all": COUNT * EACH,
            "schedule_at_ms": START + ahead_ms + 1300,
            "told_at_ms": START + ahead_ms,
        },
        **{"sent": EACH, "dropped": 0, "ok": ok, "ok_in_time": ok, "wrong_server": 0, "failed": 0, "vus_max": 10},
        **{"total_sent": EACH + 5, "total_answered": EACH + 5, "total_ok": EACH + 5, "statuses": {"200": EACH}},
        **{"ladder_ms": {"0": number + 0.5, "50": number + 0.5, "100": number + 0.5}, "by_request": []},
        **{
            "unexpected_text": 0,
            "expected": {},
            "reused": 0,
            "started_at_ms": START + ahead_ms + 1600,
            "clock_lag_ms": 1.0,
        },
    }
    used = {"cpu_s": 0.25, "wait_s": 0.01, "wall_s": 4.0}
    # k6 ends its summary without an end of line.
    return "\n".join([*lines, f"{json.dumps(summary, separators=(',', ':'))}wsgilab-used {json.dumps(used)}", ""])


def all_at_the_start(made: Json, numbers: range) -> None:
    """Have pods ask at the start line, and come back when all were told to go."""
    line = settings_of(made)["LAB_START_LINE"]

    def ask(number: int) -> None:
        with suppress(http.NoAnswer):  # called off
            http.ask(line.replace("{number}", str(number)), timeout_s=20)

    asking = [threading.Thread(target=ask, args=(number,)) for number in numbers]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()


def pod_of(made: Json, number: int) -> tuple[str, str, int]:
    name = made["metadata"]["name"]
    return f"{name}-{number}-x7k2p", name, number


def run(cluster: FakeCluster, made: Json, ends: Callable[[int], dict[str, Any]] = lambda _number: {}) -> None:
    """What the operator does where all goes well; `ends` says how a pod ends otherwise."""
    for number in range(1, COUNT + 1):
        cluster.pod(*pod_of(made, number), phase="Running")
    all_at_the_start(made, range(1, COUNT + 1))
    for number in range(1, COUNT + 1):
        cluster.ended(*pod_of(made, number), **{"log": log_of(number), **ends(number)})
    if made["metadata"]["name"] in cluster.testruns:
        cluster.stage(made["metadata"]["name"], "finished")


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(run) as found:
        yield found


def generators(cluster: FakeCluster) -> PodGenerators:
    return PodGenerators(cluster.client, TEMPLATE, Traffic(), 2, "k6 v2.3.0", start_port=0)


def failure(cluster: FakeCluster) -> LabError:
    with pytest.raises(LabError) as raised, generators(cluster).start(plan(), AT) as load:
        load.result()
    assert cluster.testruns == {}, "it is removed whatever came of it"
    return raised.value


def test_what_the_pods_saw_is_one_result(cluster: FakeCluster) -> None:
    with generators(cluster).start(plan(), AT) as load:
        result = load.result()
    assert (result.scheduled, result.sent, result.ok) == (COUNT * EACH, COUNT * EACH, COUNT * EACH)
    assert result.ladder_ms == {"0": 1.5, "50": 2.5, "100": 3.5}, "exactly, and no mean of the pods' own"
    assert [share.host for share in result.generators] == [f"{name_of(cluster)}-{number}" for number in (1, 2, 3)]
    assert [share.cpus for share in result.generators] == [2, 2, 2]
    assert result.k6_cpu_s == pytest.approx(0.75)
    assert generators(cluster).limit(result) is None
    assert cluster.testruns == {}, "with its Jobs and pods"


def test_the_clocks_of_nodes_need_not_agree(cluster: FakeCluster) -> None:
    before = time.time()
    with generators(cluster).start(plan(), AT) as load:
        result = load.result()
    starts = [share.schedule_at for share in result.generators]
    assert max(starts) - min(starts) < 0.001, "seconds apart by their own clocks, and together by the runner's"
    assert before < result.started_at - 1.6 < time.time()


def name_of(cluster: FakeCluster) -> str:
    return next(iter(cluster.pods)).rsplit("-", 2)[0]


def test_a_testrun_is_what_the_operator_takes(cluster: FakeCluster) -> None:
    made: list[Json] = []
    cluster.operator = lambda found, content: (made.append(json.loads(json.dumps(content))), run(found, content))[0]
    with generators(cluster).start(plan(), AT) as load:
        load.result()
    (content,) = made
    jsonschema.validate(content, OWN["TestRun"])
    assert content["spec"]["parallelism"] == COUNT
    assert "arguments" not in content["spec"], "those go through a shell"
    assert settings_of(content)["LAB_TARGET"] == "http://gunicorn:8000"
    assert settings_of(content)["LAB_SUMMARY"] == "stdout"
    assert settings_of(content)["LAB_GENERATOR"] == "{number}", "the same for all pods: each fills in its own"
    assert not any(word.startswith("--execution-segment") for word in content["spec"]["args"]), "the operator does that"
    assert "cleanup" not in content["spec"], "logs would be gone before they are read"


def test_a_testrun_whose_answer_was_lost_is_not_made_twice(cluster: FakeCluster) -> None:
    cluster.drop.append("POST")
    with generators(cluster).start(plan(), AT) as load:
        assert load.result().ok == COUNT * EACH
    assert len([asked for asked in cluster.asked if asked.startswith("POST")]) == 2


def test_a_testrun_of_somebody_else_is_left_alone(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.drop.append("POST")
    monkeypatch.setattr(PodGenerators, "_owner", lambda _self, _name: "another runner")
    with pytest.raises(LabError, match="already exists"), generators(cluster).start(plan(), AT):
        pass


def test_a_failed_job_behind_finished_is_a_generator_that_is_named(cluster: FakeCluster) -> None:
    error = 'time="…" level=error msg="GoError: the start was called off"\n'
    cluster.operator = lambda found, made: run(
        found, made, lambda number: {"log": error, "exit_code": 107} if number == 2 else {}
    )
    found = failure(cluster)
    name = name_of(cluster)
    assert found.what.startswith(f"generator 2 of 3 in pod {name}-2 gave no result: the start was called off")
    assert " s after the start" in found.what


@pytest.mark.parametrize("reason", ["OOMKilled", "Evicted"])
def test_a_pod_that_was_ended_is_named_with_the_cluster_s_reason(cluster: FakeCluster, reason: str) -> None:
    cluster.operator = lambda found, made: run(
        found, made, lambda number: {"log": "", "exit_code": 137, "reason": reason} if number == 3 else {}
    )
    assert re.match(rf"generator 3 of 3 in pod lab-\w+-\w+-3 gave no result: {reason}, ", failure(cluster).what)


def test_a_pod_that_is_gone_in_mid_window_is_named(cluster: FakeCluster) -> None:
    def loses_one(found: FakeCluster, made: Json) -> None:
        for number in range(1, COUNT + 1):
            found.pod(*pod_of(made, number), phase="Running")
        all_at_the_start(made, range(1, COUNT + 1))
        wait_for(lambda: any("watch=" in asked for asked in found.asked), "somebody who has seen the pods")
        found.remove_pod(pod_of(made, 1)[0])

    cluster.operator = loses_one
    assert re.match(
        r"generator 1 of 3 in pod \S+-1 gave no result: removed, .* s after the start", failure(cluster).what
    )


def test_a_pod_whose_log_lost_its_beginning_is_no_part_of_a_result(cluster: FakeCluster) -> None:
    """A node keeps the last 10 MB of a log."""
    cluster.operator = lambda found, made: run(
        found, made, lambda number: {"log": log_of(number, told=7)} if number == 2 else {}
    )
    assert "told of 7 good answers one by one, and counted 20" in failure(cluster).what


def test_a_pod_without_a_summary_is_named(cluster: FakeCluster) -> None:
    cluster.operator = lambda found, made: run(found, made, lambda number: {"log": "R/1\n"} if number == 1 else {})
    assert "its summary is not in its log" in failure(cluster).what


def test_a_pod_of_which_nothing_is_heard_any_more_is_given_up(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_generators, "planned_s", lambda _plan: 0.2)
    monkeypatch.setattr(pod_generators, "LATE_S", 0.1)

    def never_ends(found: FakeCluster, made: Json) -> None:
        for number in range(1, COUNT + 1):
            found.pod(*pod_of(made, number), phase="Running")
        all_at_the_start(made, range(1, COUNT + 1))

    cluster.operator = never_ends
    assert "gave no result: 0 s after the start it still ran" in failure(cluster).what


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_generators, "PATIENCE_S", 0.3)


def test_a_pod_that_no_node_takes_is_named_with_the_scheduler_s_words(cluster: FakeCluster, hasty: None) -> None:
    no_node = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 Insufficient cpu."}

    def one_is_not_placed(found: FakeCluster, made: Json) -> None:
        for number in range(1, COUNT):
            found.pod(*pod_of(made, number), phase="Running")
        found.pod(*pod_of(made, COUNT), phase="Pending", conditions=[no_node])
        all_at_the_start(made, range(1, COUNT))

    cluster.operator = one_is_not_placed
    found = failure(cluster)
    assert found.what.endswith("did not come to the start in time: 0/2 nodes are available: 2 Insufficient cpu.")
    assert found.next_command.startswith(f"kubectl --namespace {NAMESPACE} describe pod lab-")


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("", "Nobody took up the TestRun: it has no stage."),
        ("error", "The k6-operator gave up on the TestRun."),
        ("created", "The TestRun came no further than 'created'."),
    ],
)
def test_an_operator_that_does_nothing_is_told_from_one_that_gave_up(
    cluster: FakeCluster, hasty: None, stage: str, said: str
) -> None:
    cluster.operator = lambda found, made: found.stage(made["metadata"]["name"], stage) if stage else None
    assert failure(cluster).what == said


def test_a_cluster_without_the_operator_says_so(cluster: FakeCluster) -> None:
    cluster.refuse["POST"] = (404, "the server could not find the requested resource")
    assert "the k6-operator is not installed" in failure(cluster).cause


def test_a_watch_that_breaks_does_not_break_a_window(cluster: FakeCluster) -> None:
    def with_interruptions(found: FakeCluster, made: Json) -> None:
        found.cut_watches()
        run(found, made, lambda _number: found.cut_watches() or {})
        found.forget()

    cluster.operator = with_interruptions
    with generators(cluster).start(plan(), AT) as load:
        assert load.result().ok == COUNT * EACH


def test_what_a_runner_that_was_killed_has_left_is_removed(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.operator = lambda *_: None
    ours = filled_in(TEMPLATE, "lab-1-2", [], {})
    cluster.create(ours)
    cluster.create({**ours, "metadata": {"name": "of-a-colleague"}})
    monkeypatch.setattr(pod_generators, "of_this_pod", lambda: cluster.client)
    monkeypatch.setattr(pod_generators, "find_k6", lambda: "k6")
    monkeypatch.setattr(pod_generators, "version_of_k6", lambda _path: "k6 v2.3.0")
    found = in_pods(json.dumps(TEMPLATE), Traffic(), 1, None)
    assert (found.count, found.cpus, found.version) == (COUNT, COUNT, "k6 v2.3.0")
    assert list(cluster.testruns) == ["of-a-colleague"]
    cluster.refuse["GET"] = (403, "no")
    with pytest.raises(MissingError, match="look for TestRuns"):
        in_pods(json.dumps(TEMPLATE), Traffic(), 1, None)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"spec": {}}', '{"spec": {"parallelism": "all"}}', '{"spec": {"parallelism": 0}}']
)
def test_a_template_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="The TestRun"):
        in_pods(text, Traffic(), 1, None)


def test_what_is_no_record_in_a_log_is_left_out() -> None:
    told = told_in(['{"period_s" broken\n', "wsgilab-used {no\n", 'wsgilab-used {"cpu_s": 1}\n', "anything\n"])
    assert (told.summary, told.cpu_s, told.wait_s) == (None, 1.0, 0.0)
