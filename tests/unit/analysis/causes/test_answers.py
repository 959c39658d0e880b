"""What was answered comes before everything else: by the app, before the app, twice, or by one server alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest
from factories import MODELS, RUN, evidence, inside, inside_of, load_result, plain_window, plan, samples, usage, window

from wsgilab.analysis import causes
from wsgilab.analysis.causes import answers
from wsgilab.analysis.counts import calls_each
from wsgilab.analysis.pipeline import analyse
from wsgilab.model.outcomes import Rating
from wsgilab.model.server import ServerFacts
from wsgilab.model.slo import Slo
from wsgilab.model.window import Window

UWSGI = MODELS["uwsgi"].facts
LESSON = "A slow response spends its time waiting before the app."


def answered(statuses: Mapping[str, int], app: Mapping[str, int] | None = None, **load: Any) -> Window:
    """600 requests with these answers; the 2xx among them took 20 ms. `app`: what the app answered; None: the same."""
    ok = sum(count for status, count in statuses.items() if status[0] == "2")
    result = load_result([20.0] * ok, 600, statuses=statuses, total_ok=ok, **load)
    counted = sum((statuses if app is None else app).values())
    within = inside(app_statuses=statuses if app is None else app, at_once=3)
    return replace(plain_window([]), load=result, usage=usage(counted, inside=within))


def unlike_lab_toml(**load: Any) -> Window:
    """600 requests answered with 200, of which 480 were good."""
    measured = answered({"200": 600}, **load)
    assert measured.load
    return replace(measured, load=replace(measured.load, ok=480, failed=120))


def sentence(windows: list[Window], server: ServerFacts | None = None, **changes: Any) -> str:
    """What comes first."""
    found = causes.find(evidence(*windows, server=server, **changes), Rating.BAD)
    return found[0].sentence


@pytest.mark.parametrize(
    ("statuses", "load", "said"),
    [
        ({"500": 600}, {}, "HTTP 500 from the app"),
        ({"200": 570, "500": 30}, {}, "HTTP 500 from the app on 5.0 % of the requests"),
        (
            {"302": 600},
            {"redirect_to": "/login", "host": "127.0.0.1:8003"},
            "HTTP 302 to /login: a redirect is not followed, so name the path that it leads to",
        ),
        ({"302": 600}, {}, "HTTP 302: a redirect is not followed, so name the path that it leads to"),
        ({"401": 600}, {}, "HTTP 401 from the app: it wants a login"),
        ({"404": 600}, {}, "HTTP 404 from the app: is the path of --workload right?"),
        (
            {"400": 600},
            {"host": "127.0.0.1:8003", "blames_host": True},
            "HTTP 400: the app does not serve this host (Host: 127.0.0.1:8003)",
        ),
        (
            {"400": 600},
            {"host": "127.0.0.1:8003"},
            "HTTP 400 from the app: does it take this request, and this host (Host: 127.0.0.1:8003)?",
        ),
        ({"5xx": 600}, {}, "HTTP 5xx from the app"),
    ],
)
def test_the_apps_own_answers_are_named_first(statuses: Mapping[str, int], load: dict[str, Any], said: str) -> None:
    app = {"511": 600} if "5xx" in statuses else None
    found = causes.find(evidence(answered(statuses, app, **load)), Rating.BAD)
    assert (found[0].sentence, found[0].of_app) == (said, True)


@pytest.mark.parametrize(
    ("statuses", "server", "changes", "said"),
    [
        ({"414": 600}, None, {"refusals": {"limit_request_line": 800}}, "HTTP 414 by gunicorn (limit_request_line)"),
        ({"502": 600}, UWSGI, {"refusals": {"buffer-size": 800}}, "HTTP 502 by nginx: uWSGI closed (buffer-size)"),
        ({"413": 600}, UWSGI, {}, "HTTP 413 by nginx (client_max_body_size)"),
        ({"400": 600}, UWSGI, {}, "HTTP 400 by nginx or uWSGI"),
        ({"502": 600}, UWSGI, {}, "HTTP 502 by nginx: uWSGI closed the connection or was not there"),
        ({"400": 600}, None, {}, "HTTP 400 by gunicorn"),
        (
            {"431": 600},
            None,
            {"refusals": {"limit_request_field_size": 9}},
            "HTTP 431 by gunicorn (limit_request_field_size)",
        ),
    ],
)
def test_what_the_server_or_nginx_refuses_before_the_app_is_a_result_with_its_setting(
    statuses: Mapping[str, int], server: ServerFacts | None, changes: dict[str, Any], said: str
) -> None:
    refused = answered(statuses, app={})
    assert refused.usage
    assert refused.usage.inside
    refused = replace(refused, usage=replace(refused.usage, inside=replace(refused.usage.inside, **changes)))
    assert sentence([refused], server) == f"refused before the app: {said}"


@pytest.mark.parametrize(
    ("name", "statuses", "said"),
    [
        ("gunicorn", {"414": 600}, "HTTP 414 by gunicorn (limit_request_line)"),
        ("uwsgi", {"502": 600}, "HTTP 502 by nginx: uWSGI closed (buffer-size)"),
        ("uwsgi-http", {"0": 600}, "closed without an answer by uWSGI (buffer-size)"),
    ],
)
def test_a_line_that_is_longer_than_the_default_names_the_setting_without_a_log(
    name: str, statuses: Mapping[str, int], said: str
) -> None:
    refused = answered(statuses, app={})
    long = replace(refused, plan=replace(refused.plan, workload="/" + "x" * 4500))
    facts = MODELS[name].facts if name in MODELS else ServerFacts(name, "uWSGI", "4 x 2", 8, None)
    assert sentence([long], facts) == f"refused before the app: {said}"
    assert "size" not in sentence([refused], facts), "a short line breaks no limit"


def test_a_proxys_502_under_overload_is_what_the_slots_did() -> None:
    """A full queue of a server behind nginx is an immediate 502: the cause is what made the queue full."""
    full = inside_of(answered({"200": 300, "502": 300}), app_statuses={"200": 400}, at_once=1)
    single = MODELS["uwsgi-single"].facts
    assert sentence([full], single).startswith("limited by slots: 1 slot ÷ 22.4 ms = 45 rps, 100 rps offered")


@pytest.mark.parametrize("statuses", [{"200": 600}, {"201": 300, "204": 300}, {"200": 597, "500": 3}, {"0": 600}, {}])
def test_good_answers_single_errors_and_silence_are_no_answer_to_blame(statuses: Mapping[str, int]) -> None:
    seen = evidence(answered(statuses))
    assert answers.answered_by_the_app(seen) is None
    assert answers.refused_before_the_app(seen) is None


def test_a_few_errors_among_silence_explain_nothing() -> None:
    lost = answered({"200": 100, "500": 12}, unanswered=488)
    assert answers.answered_by_the_app(evidence(lost)) is None


def test_how_many_may_fail_is_the_objectives_affair() -> None:
    some = answered({"200": 570, "500": 30})
    assert answers.answered_by_the_app(evidence(some, objective=Slo((("p50", 250.0),)))) is None
    assert answers.answered_by_the_app(evidence(some, objective=Slo((("p50", 250.0), ("failed", 0.02))))) is not None


@pytest.mark.parametrize(
    ("kills", "said"),
    [
        (400, "gunicorn killed its own worker 400 times (timeout): not the kernel, not memory"),
        (20, "HTTP 500 from the app"),
    ],
)
def test_a_500_that_comes_of_a_killed_worker_is_not_the_apps_answer(kills: int, said: str) -> None:
    killed = answered({"500": 600})
    assert sentence([inside_of(killed, app_statuses={"500": 600}, worker_ends={"timeout": kills})]) == said


def test_of_an_older_run_it_is_not_known_who_answered() -> None:
    old = answered({"500": 600})
    assert old.usage
    assert sentence([replace(old, usage=replace(old.usage, inside=None))]) == "HTTP 500"


def test_the_odd_server_out_is_named_where_the_others_agree() -> None:
    alone = {(100.0, "gunicorn"): {"413": 600}, (100.0, "dev"): {"200": 600}, (100.0, "uwsgi"): {"200": 599, "0": 1}}
    odd = evidence(answered({"413": 600}), context={"statuses": alone})
    found = causes.find(odd, Rating.BAD)[0]
    assert found.sentence == "HTTP 413 from the app, where the other 2 servers answered 200"
    assert not found.of_app
    same = {**alone, (100.0, "dev"): {"413": 600}}
    assert sentence([answered({"413": 600})], context={"statuses": same}) == "HTTP 413 from the app"


ALIKE = {(100.0, "uwsgi"): {"0": 600}, (100.0, "gunicorn"): {"200": 600}, (100.0, "dev"): {"200": 600}}


class TestCutOff:
    """uWSGI closes with the rest of an upload unread, and nginx loses the answer."""

    def test_what_the_app_answered_and_nobody_got_is_named_with_who_is_in_between(self) -> None:
        lost = answered({"0": 600}, app={"200": 800})
        assert sentence([lost], UWSGI, context={"statuses": ALIKE}) == (
            "answered by the app, and cut off on the way by nginx or uWSGI, where the other 2 servers answered 200: "
            "does the app leave uploads unread?"
        )

    @pytest.mark.parametrize(
        ("app", "load"),
        [
            ({"200": 300}, {}),  # half of them never came to the app
            ({"500": 800}, {}),
            ({"200": 800}, {"unanswered": 200}),  # late, and given up
        ],
    )
    def test_what_was_late_or_never_there_is_something_else(self, app: dict[str, int], load: dict[str, int]) -> None:
        seen = evidence(answered({"0": 600}, app=app, **load), server=UWSGI)
        assert answers.cut_off_on_the_way(seen) is None


class TestCallsItself:
    def test_two_requests_for_each_are_said_and_explain_nothing(self) -> None:
        twice = plain_window([45.0] * 600)
        assert twice.usage
        found = causes.find(evidence(replace(twice, usage=usage(1600))), Rating.GOOD)
        (cause,) = found
        assert cause.sentence == "the app counted two requests for each that k6 sent: does it call itself?"
        assert not cause.explains

    @pytest.mark.parametrize(
        ("counted", "calls"), [(800, 1), (812, 1), (1203, 1), (1600, 2), (1612, 2), (1640, 1), (2400, 3), (0, 1)]
    )
    def test_only_a_whole_number_is_taken_for_it(self, counted: float, calls: int) -> None:
        load = load_result([45.0] * 600)
        assert calls_each(Window(plan(), load, usage(counted))) == calls

    @pytest.mark.parametrize(
        ("counted", "alone_rps", "calls"),
        [
            (1040, 0.0, 1.3),  # it stopped with k6
            (1040, 5.0, 1.3),
            (1040, 20.0, 1),  # of 27 a second: somebody else goes on
            (1600, 0.0, 2),
            (1600, 80.0, 1),  # as much as k6, and not the app
            (805, 0.0, 1),  # health checks
        ],
    )
    def test_what_goes_on_without_k6_is_somebody_elses(self, counted: float, alone_rps: float, calls: float) -> None:
        assert calls_each(replace(plain_window([45.0] * 600), usage=usage(counted, asked_alone_rps=alone_rps))) == calls

    @pytest.mark.parametrize(
        ("each_s", "calls"),
        [
            ((130, 130, 130, 130, 130, 130), 1.3),
            ((136, 122, 133, 128, 131, 130), 1.3),
            ((160, 160, 160, 100, 100, 100), 1),  # somebody came, and went
            ((100, 100, 100, 100, 100, 280), 1),
        ],
    )
    def test_the_app_calls_itself_all_the_while(self, each_s: tuple[int, ...], calls: float) -> None:
        counted = [0, *accumulate(each_s)]
        readings = [replace(one, requests=float(n)) for one, n in zip(samples(1.0, 1.0, 7), counted, strict=True)]
        found = usage(1040, asked_alone_rps=0.0, samples=tuple(readings))
        assert calls_each(replace(plain_window([45.0] * 600), usage=found)) == calls

    def test_readings_of_one_moment_tell_nothing(self) -> None:
        """A clock that was set back, or a line that was edited."""
        readings = [replace(one, at=samples(1.0, 1.0, 1)[0].at) for one in samples(1.0, 1.0, 3)]
        found = usage(1040, asked_alone_rps=0.0, samples=tuple(readings))
        assert calls_each(replace(plain_window([45.0] * 600), usage=found)) == 1.3

    def test_a_part_of_the_requests_is_said_with_its_ratio(self) -> None:
        some = replace(plain_window([24.0] * 600), usage=usage(1040, asked_alone_rps=0.0))
        (cause,) = causes.find(evidence(some), Rating.GOOD)
        assert cause.sentence == "the app counted 1.3 requests for each that k6 sent: does it call itself?"

    def test_few_answers_are_no_measure(self) -> None:
        """Workers that are killed for their timeout count each request; k6 got no answer to most of them."""
        load = load_result([24.0] * 4, 240, total_requests=4, total_sent=320)
        assert calls_each(Window(plan(), load, usage(20))) == 1

    def test_nothing_answered_is_no_number_at_all(self) -> None:
        assert calls_each(Window(plan(), load_result([], 600, total_requests=0), usage(1600))) == 1


class TestInAVerdict:
    def test_the_server_is_bad_and_the_reason_begins_with_the_answer_but_it_did_not_wait(self) -> None:
        verdict = analyse([answered({"404": 600})], replace(RUN, workload="/nope", rounds=0)).to_json()
        (row,) = [row for row in verdict["servers"] if row["server"] == "gunicorn"]
        assert row["verdict"] == "bad"
        assert row["why"].startswith("HTTP 404 from the app: is the path of --workload right?; p99 > 10 s")
        assert row["loads"][0]["refused_ratio"] == 1.0
        assert verdict["answer"][0] == "HTTP 404 from the app: is the path of --workload right?"
        (claim,) = [claim for claim in verdict["claims"] if claim["text"] == LESSON]
        assert claim["result"] == "inconclusive"

    def test_errors_that_the_objective_allows_are_said_all_the_same(self) -> None:
        run = replace(RUN, objective=Slo((("p50", 250.0),)))
        (row,) = [row for row in analyse([answered({"200": 500, "503": 100})], run).servers if row.server == "gunicorn"]
        assert row.rating is Rating.GOOD
        assert row.why.endswith("17 % answered with something other than 2xx")

    def test_a_server_that_waits_still_does(self) -> None:
        verdict = analyse([window("dev-single", rate_rps=250.0)], RUN).to_json()
        (claim,) = [claim for claim in verdict["claims"] if claim["text"] == LESSON]
        assert claim["result"] == "holds"

    def test_a_void_window_tells_nothing_about_the_server(self) -> None:
        void = replace(answered({"404": 600}), void="k6 was late")
        assert not [
            row for row in analyse([void], RUN).servers for load in row.loads if load.causes or load.refused_ratio
        ]


def test_the_inside_of_a_window_may_be_unknown() -> None:
    assert causes.find(evidence(inside_of(plain_window([24.0] * 600))), Rating.GOOD) == ()
    assert causes.find(evidence(plain_window([24.0] * 600)), Rating.GOOD) == ()


def test_an_answer_that_was_asked_for_is_no_cause() -> None:
    some = answered({"200": 500, "302": 100})
    assert some.load
    asked_for = replace(some, load=replace(some.load, expected={"302": 100}))
    assert answers.answered_by_the_app(evidence(some)) is not None
    assert answers.answered_by_the_app(evidence(asked_for)) is None
    assert answers.refused_ratio([asked_for]) == 0.0


def test_a_good_status_with_the_wrong_content_is_said_to_be_that() -> None:
    assert sentence([unlike_lab_toml(unexpected_text=120)]) == (
        "answers without the text that lab.toml expects on 20 % of the requests"
    )
    assert sentence([unlike_lab_toml()]).startswith("answers with a status other than the one that lab.toml expects on")
    assert answers.not_as_expected(evidence(answered({"200": 500, "500": 100}))) is None
