"""What the runner tells k6, and what it makes of the summary that comes back."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from wsgilab.engines import Endpoint
from wsgilab.errors import LabError, MissingError
from wsgilab.measure.k6_command import K6, Segment, Traffic, command, environment, traffic_of, vus_needed
from wsgilab.measure.load import scheduled_s, start
from wsgilab.measure.summary import parse_summary, refusal
from wsgilab.model.request import Request
from wsgilab.model.window import LoadResult, RequestResult, WindowPlan

PLAN = WindowPlan("gunicorn", "mix", 100.0, 2, 7, warmup_s=2.0, duration_s=6.0, timeout_s=10.0, grace_s=2.0)
SUMMARY: dict[str, Any] = {
    "by_request": [],
    "reused": 0,
    "expected": {},
    "unexpected_text": 0,
    "period_s": 0.01,
    "scheduled": 600,
    "sent": 590,
    "dropped": 10,
    "ok": 500,
    "ok_in_time": 480,
    "failed": 60,
    "wrong_server": 5,
    "total_answered": 640,
    "total_sent": 690,
    "total_ok": 560,
    "statuses": {"0": 20, "200": 505, "503": 40},
    "ladder_ms": {"0": 20.5, "50": 24, "100": 900.25},
    "started_at_ms": 1_700_000_000_500,
    "clock_lag_ms": 3,
    "vus_max": 610,
}


def parsed(**changes: object) -> LoadResult:
    return parse_summary({**SUMMARY, **changes}, wall_s=10.5, k6_cpu_s=1.25)


def test_a_summary_becomes_a_result() -> None:
    assert parsed() == LoadResult(
        scheduled=600,
        sent=590,
        dropped=10,
        ok=500,
        ok_in_time=480,
        failed=60,
        unanswered=25,
        wrong_server=5,
        statuses={"0": 20, "200": 505, "503": 40},
        ladder_ms={"0": 20.5, "50": 24.0, "100": 900.25},
        total_requests=640,
        total_sent=690,
        total_ok=560,
        reused=0,
        started_at=1_700_000_000.5,
        wall_s=10.5,
        k6_cpu_s=1.25,
        lag_ms=3.0,
        vus_max=610,
    )


def test_names_keep_the_order_of_the_traffic_even_where_they_are_numbers() -> None:
    one = {"scheduled": 10, "sent": 11, "ok": 9, "ladder_ms": {"50": 20}}
    found = parsed(by_request=[["look", one], ["404", one], ["2", one]]).by_request
    assert list(found) == ["look", "404", "2"]
    assert found["404"] == RequestResult(scheduled=11, sent=11, ok=9, ladder_ms={"50": 20.0})


def test_a_window_without_one_good_answer_has_no_quantiles() -> None:
    result = parsed(sent=600, dropped=0, ok=0, failed=600, wrong_server=0, statuses={"0": 600}, ladder_ms={})

    assert (result.ok, result.failed, result.unanswered, result.ladder_ms) == (0, 600, 0, {})


def test_a_window_in_which_nothing_was_sent_is_all_dropped() -> None:
    result = parsed(sent=0, dropped=0, ok=0, failed=0, wrong_server=0, statuses={}, ladder_ms={}, started_at_ms=0)

    assert (result.sent, result.dropped, result.started_at) == (0, 600, 0.0)


def test_requests_that_k6_dropped_are_the_servers_failure_and_no_lag() -> None:
    assert parsed(sent=100, dropped=500).lag_ms == 3.0


def test_ticks_that_k6_never_came_to_are_lag() -> None:
    assert parsed(sent=500, dropped=20).lag_ms == pytest.approx(800.0)


def test_what_was_sent_and_dropped_is_all_that_was_scheduled() -> None:
    for sent in (550, 600, 603):
        result = parsed(sent=sent)
        assert result.sent + result.dropped == result.scheduled
        assert result.dropped >= 0


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this system does not tell")
def test_what_k6_used_is_read_in_seconds() -> None:
    ran_s, waited_s = scheduled_s(os.getpid())

    assert 0.1 * time.process_time() < ran_s < 2 * time.process_time()
    assert waited_s >= 0
    assert scheduled_s(0) == (0.0, 0.0)


@pytest.mark.parametrize(
    "damage",
    [{"sent": None}, {"ok": "many"}, {"statuses": None}, {"ladder_ms": {"50": None}}, {"started_at_ms": []}],
)
def test_a_damaged_summary_is_an_error_and_not_a_zero(damage: dict[str, object]) -> None:
    with pytest.raises(LabError, match="summary is damaged"):
        parsed(**damage)


@pytest.mark.parametrize("field", sorted(SUMMARY))
def test_a_summary_that_lacks_a_field_is_an_error(field: str) -> None:
    with pytest.raises(LabError, match=field):
        parse_summary({name: value for name, value in SUMMARY.items() if name != field}, 1.0, 1.0)


CONSOLE = (
    r'time="2026-11-25T23:39:14Z" level=info msg="{\"status\":\"503\",\"redirect_to\":\"\",\"host\":\"h:1\",'
    r'\"blames_host\":true}"' + "\n"
    r'time="2026-11-25T23:39:15Z" level=info msg="{\"status\":\"302\",'
    r"\"redirect_to\":\"/login?next=\\\"x\\u001b[31m\\\"\","
    r'\"host\":\"127.0.0.1:8003\",\"blames_host\":false}" source=console' + "\n"
)


def test_the_commonest_answer_that_is_not_2xx_is_described() -> None:
    told = {"redirect_to": '/login?next="x[31m"', "host": "127.0.0.1:8003", "blames_host": False, "refused_by": ""}
    assert refusal(CONSOLE.splitlines(), {"200": 90, "302": 6, "503": 4}) == told
    assert refusal(CONSOLE.splitlines(), {"302": 1, "503": 4})["blames_host"] is True


@pytest.mark.parametrize("console", ["", CONSOLE[:200], 'msg="3"\n', ' msg="[1]"\n msg="\\x"\n', "GoError: no\n"])
def test_a_console_that_says_nothing_of_it_is_no_error(console: str) -> None:
    assert refusal(console.splitlines(), {"302": 6}) == {}


def test_good_answers_and_none_at_all_are_not_described() -> None:
    assert refusal(CONSOLE.splitlines(), {"200": 90, "0": 4}) == {}


def test_variables_that_replace_k6s_scenarios_do_not_reach_it() -> None:
    inherited = {"PATH": "/bin", "K6_VUS": "1", "K6_DURATION": "1s", "K6_OUT": "json", "HOME": "/home/me"}

    assert environment(inherited, None) == {"PATH": "/bin", "HOME": "/home/me"}


def test_a_proxy_does_not_get_between_k6_and_the_server() -> None:
    assert environment({"HTTP_PROXY": "http://p", "https_proxy": "http://p", "all_proxy": "socks5://p"}, None) == {}


def test_credentials_for_prometheus_reach_k6() -> None:
    told = environment({"K6_PROMETHEUS_RW_PASSWORD": "secret"}, "http://prometheus:9090/")

    assert told["K6_PROMETHEUS_RW_PASSWORD"] == "secret"
    assert told["K6_PROMETHEUS_RW_SERVER_URL"] == "http://prometheus:9090/api/v1/write"


def test_a_password_in_the_address_reaches_k6_beside_the_address() -> None:
    told = environment({}, "http://lab:s-cret@prometheus:9090")

    assert told["K6_PROMETHEUS_RW_SERVER_URL"] == "http://prometheus:9090/api/v1/write"
    assert (told["K6_PROMETHEUS_RW_USERNAME"], told["K6_PROMETHEUS_RW_PASSWORD"]) == ("lab", "s-cret")


def test_histograms_and_stale_markers_are_not_left_to_chance() -> None:
    misled = {f"K6_PROMETHEUS_RW_{name}": "false" for name in ("TREND_AS_NATIVE_HISTOGRAM", "STALE_MARKERS")}

    told = environment({**misled, "K6_PROMETHEUS_RW_PUSH_INTERVAL": "5s"}, "http://prometheus:9090")

    assert {told[name] for name in misled} == {"true"}
    assert told["K6_PROMETHEUS_RW_PUSH_INTERVAL"] == "5s"


def test_the_command_hands_over_the_plan_under_names_of_our_own() -> None:
    line = command(
        K6("k6", script=Path("load.js")), PLAN, Endpoint("http://127.0.0.1:8003/", "", None, "4f2a"), Path("/tmp/x")
    )

    told = dict(setting.split("=", 1) for flag, setting in pairwise(line) if flag == "-e")
    assert told == {
        "LAB_TARGET": "http://127.0.0.1:8003",
        "LAB_SERVER": "gunicorn",
        "LAB_RUN": "4f2a",
        "LAB_WORKLOAD": "mix",
        "LAB_RATE": "100",
        "LAB_ROUND": "2",
        "LAB_WARMUP_S": "2.0",
        "LAB_DURATION_S": "6.0",
        "LAB_TIMEOUT_S": "10.0",
        "LAB_GRACE_S": "2.0",
        "LAB_VUS": "500",
        "LAB_SUMMARY": "/tmp/x/summary.json",
    }
    assert line[-1] == "load.js"
    assert "--out" not in line


def test_metrics_go_to_prometheus_only_when_there_is_one() -> None:
    line = command(
        K6("k6", prometheus_url="http://prometheus:9090"),
        PLAN,
        Endpoint("http://gunicorn:8000", "", None),
        Path("/tmp/x"),
    )

    assert line[line.index("--out") + 1] == "experimental-prometheus-rw"


def test_native_histograms_are_asked_for_in_the_words_of_older_and_newer_k6() -> None:
    inherited = {"K6_FEATURES": "freeze-env", "PATH": "/bin"}

    told = environment(inherited, "http://prometheus:9090")
    assert told["K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM"] == "true"
    assert told["K6_FEATURES"] == "native-histograms"
    assert environment(inherited, None) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("rate_rps", "duration_s", "timeout_s", "vus"),
    [
        (10, 6, 10, 70),  # every request of the window may be without an answer
        (10, 60, 10, 110),  # until it times out
        (100, 6, 10, 500),  # the floor of the cap
        (1500, 6, 10, 3000),  # two seconds' worth
    ],
)
def test_unanswered_requests_do_not_starve_the_schedule(
    rate_rps: float, duration_s: float, timeout_s: float, vus: int
) -> None:
    plan = replace(PLAN, rate_rps=rate_rps, duration_s=duration_s, timeout_s=timeout_s)
    assert vus_needed(plan, Traffic()) == vus


@pytest.mark.parametrize(
    ("objective", "vus"),
    [
        ("p99<250ms", 60),  # half a second's worth of 100 rps, and some
        ("p50<20ms", 60),
        ("p99<250ms; report: p95<800ms", 170),
        ("p99<5s", 210),
        ("failed<1%", 210),
    ],
)
def test_connections_that_are_used_again_are_few(objective: str, vus: int) -> None:
    traffic = traffic_of(Request(keep_alive=True, slo=objective))
    assert vus_needed(PLAN, traffic) == vus


def test_a_k6_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingError, match="could not be started") as caught:
        start(K6("/nowhere/k6"), PLAN, Endpoint("http://127.0.0.1:1", "", None))

    assert "/nowhere/k6" in caught.value.cause


@pytest.mark.parametrize(
    ("number", "segment"),
    [(1, "0:1/3"), (2, "1/3:2/3"), (3, "2/3:1")],
)
def test_one_of_three_is_told_its_third_and_where_to_wait(number: int, segment: str) -> None:
    at = Endpoint("http://127.0.0.1:8003", "", None)
    line = command(K6("k6"), PLAN, at, Path("/w"), Segment(number, 3, "http://127.0.0.1:9/s/1", each_request=True))
    assert line[line.index("--execution-segment") + 1] == segment
    assert line[line.index("--execution-segment-sequence") + 1] == "0,1/3,2/3,1"
    for told in (f"LAB_GENERATOR={number}", "LAB_GENERATORS=3", "LAB_START_LINE=http://127.0.0.1:9/s/1"):
        assert line[line.index(told) - 1] == "-e"
    assert "LAB_EACH_REQUEST=1" in line


def test_one_alone_is_told_nothing_of_others() -> None:
    line = command(K6("k6"), PLAN, Endpoint("http://127.0.0.1:8003", "", None), Path("/w"))
    assert not [word for word in line if "segment" in word or "GENERATOR" in word or "EACH_REQUEST" in word]
