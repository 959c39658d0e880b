"""Real windows of a real k6 against small real servers, each with one way to go wrong: what k6 counts of it."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from itertools import groupby

import pytest
from k6_target import PLAN, Handler, measure, needs_k6, target, unused_url
from support import K6_PATH

import wsgilab.measure.k6_command
from wsgilab.engines import Endpoint
from wsgilab.measure.k6 import K6Generator
from wsgilab.measure.k6_command import K6, Traffic
from wsgilab.measure.load import start

pytestmark = needs_k6


def never(request: Handler) -> None:
    request.server.released.wait()


def after_half_a_second(request: Handler) -> None:
    request.server.released.wait(0.5)
    request.reply()


def test_a_healthy_server_is_sent_exactly_what_was_scheduled() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url)

    assert (result.scheduled, result.sent, result.ok, result.dropped) == (40, 40, 40, 0)
    assert (result.failed, result.unanswered, result.wrong_server) == (0, 0, 0)
    assert result.statuses == {"200": 40}
    assert server.seen == {"GET /": 40}
    assert result.total_requests == 40


def test_the_warm_up_reaches_the_server_and_is_not_measured() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url, warmup_s=1.5)

    assert (result.sent, result.ok) == (40, 40)
    assert result.total_requests == server.seen["GET /"] > 40


def test_the_ladder_climbs_from_the_fastest_answer_to_the_slowest() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url)

    percentiles = sorted(result.ladder_ms, key=float)
    assert {"0", "50", "95", "99", "99.9", "99.99", "100"} <= set(percentiles)
    assert len(percentiles) > 110
    times_ms = [result.ladder_ms[percentile] for percentile in percentiles]
    assert times_ms == sorted(times_ms)
    assert times_ms[0] > 0


def test_k6_reports_its_own_cost_and_the_time_of_the_first_request() -> None:
    before = time.time()
    with target(Handler.reply) as server:
        result = measure(server.url)

    assert before < result.started_at < time.time()
    assert result.k6_cpu_s > 0
    assert result.wall_s > 1.0
    assert result.vus_max >= 50


def test_every_request_comes_on_a_connection_of_its_own() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url)

    assert server.connections == result.sent


def test_connections_are_used_again_where_that_is_asked() -> None:
    with target(Handler.reply) as server:
        k6 = K6(str(K6_PATH), traffic=Traffic(keep_alive=True, patience_s=0.5))
        with start(k6, PLAN, Endpoint(server.url, "", None)) as run:
            result = run.result()
        once = measure(server.url)

    assert (result.ok, once.ok) == (40, 40)
    assert result.reused is not None
    assert result.reused >= 10, "40 requests by 30 virtual users"
    assert server.connections == (40 - result.reused) + 40
    assert once.reused == 0


def test_a_rate_may_be_a_fraction() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url, rate_rps=2.5, duration_s=2.0)

    assert (result.scheduled, result.ok) == (5, 5)


def test_answers_of_500_are_failures_and_have_no_response_time() -> None:
    with target(lambda request: request.reply(500)) as server:
        result = measure(server.url)

    assert (result.ok, result.failed, result.statuses, result.ladder_ms) == (0, 40, {"500": 40}, {})
    assert result.total_requests == 40


def test_a_status_that_is_not_listed_is_counted_by_its_class() -> None:
    with target(lambda request: request.reply(418)) as server:
        assert measure(server.url).statuses == {"4xx": 40}


def test_a_redirect_is_not_followed() -> None:
    with target(lambda request: request.reply(302, Location="/elsewhere")) as server:
        result = measure(server.url)

    assert (result.failed, result.statuses) == (40, {"302": 40})
    assert (result.redirect_to, result.host) == ("/elsewhere", server.url.removeprefix("http://"))
    assert server.seen == {"GET /": 40}


def test_an_answer_that_speaks_of_the_host_says_so() -> None:
    def not_served(request: Handler) -> None:
        request.send_response(400)
        body = b"<h1>Invalid Host header</h1>"
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    with target(not_served) as server:
        result = measure(server.url)

    assert (result.statuses, result.blames_host) == ({"400": 40}, True)


def test_failures_between_good_answers_leave_the_good_ones_their_times() -> None:
    def every_other(request: Handler) -> None:
        request.reply(503 if request.server.seen["GET /"] % 2 else 200)

    with target(every_other) as server:
        result = measure(server.url, rate_rps=20.0)

    assert result.ok + result.failed == 20
    assert result.statuses["200"] == result.ok > 0
    assert result.statuses["503"] == result.failed > 0
    assert result.ladder_ms["100"] > 0


def test_connections_that_close_without_an_answer_are_failures() -> None:
    with target(lambda request: request.connection.shutdown(socket.SHUT_RDWR)) as server:
        result = measure(server.url)

    assert (result.sent, result.failed, result.statuses) == (40, 40, {"0": 40})
    assert result.total_requests == 0


def test_refused_connections_are_failures() -> None:
    result = measure(unused_url())

    assert (result.sent, result.ok, result.failed, result.statuses) == (40, 0, 40, {"0": 40})


def test_requests_without_an_answer_when_the_grace_ends_are_unanswered() -> None:
    with target(never) as server:
        result = measure(server.url)

    assert (result.sent, result.ok, result.failed, result.unanswered) == (40, 0, 0, 40)


def test_requests_without_an_answer_before_the_timeout_are_failures() -> None:
    with target(never) as server:
        result = measure(server.url, timeout_s=0.3)

    assert (result.failed, result.unanswered, result.statuses) == (40, 0, {"0": 40})


def test_a_server_too_slow_for_the_virtual_users_drops_requests_and_is_no_lag_of_k6(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wsgilab.measure.k6_command, "vus_needed", lambda *_: 4)
    with target(after_half_a_second) as server:
        result = measure(server.url, duration_s=2.0)

    assert result.scheduled == 80
    assert result.dropped == 80 - result.sent > 40
    # Counted by the requests sent, the last ones would look more than a second late.
    assert result.lag_ms < 1000


def test_answers_of_another_server_are_told_apart() -> None:
    with target(lambda request: request.reply(server="left")) as server:
        result = measure(server.url)

    assert (result.ok, result.failed, result.wrong_server, result.ladder_ms) == (0, 0, 40, {})


def test_an_answer_that_names_no_server_is_not_the_right_one() -> None:
    with target(lambda request: request.reply(server=None)) as server:
        assert measure(server.url).wrong_server == 40


def test_uploads_arrive_whole() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url, workload="upload")

    assert result.ok == 40
    assert server.seen == {"POST /upload": 40}
    assert server.body_bytes == {64 * 1024}


def test_a_path_can_be_the_workload() -> None:
    with target(Handler.reply) as server:
        result = measure(server.url, workload="/orders?page=2")

    assert server.seen == {"GET /orders?page=2": result.ok}


def test_two_servers_that_take_turns_are_asked_in_turns_and_each_all_that_was_scheduled() -> None:
    asked: list[str] = []

    def noted(request: Handler, name: str) -> None:
        asked.append(name)
        request.reply(server=name)

    plans = [replace(PLAN, server=name, turns_with=other) for name, other in (("one", "two"), ("two", "one"))]
    generator = K6Generator(K6(str(K6_PATH)))
    with (
        target(lambda request: noted(request, "one")) as one,
        target(lambda request: noted(request, "two")) as two,
        generator.start_turns(plans, [Endpoint(server.url, "", None) for server in (one, two)]) as load,
    ):
        results = load.results()
    assert [(result.scheduled, result.sent, result.ok) for result in results] == [(40, 40, 40)] * 2
    assert [len(result.generators) for result in results] == [2, 2], "each is held to account for both"
    assert asked[0] == "one"
    turns = [len(list(group)) for _, group in groupby(asked)]
    assert turns.count(4) >= 16, "20 turns of 4 requests; a late one may fall into the next"
    lag_s = results[1].started_at - results[0].started_at
    assert 0.05 < lag_s < 0.2, "it begins with the second turn"
