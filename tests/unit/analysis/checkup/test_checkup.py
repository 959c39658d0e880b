"""A check-up tells what differs between servers from what differs between any two answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from wsgilab.analysis.checkup import findings
from wsgilab.model.checkup import FORWARDED_FOR, Answer, Answers, Checkup, Import, Question, Statement
from wsgilab.model.finding import MISSING, ODD, OK, Finding

QUESTION = Question("home", "GET", "/")
PORTS = {"dev": 8002, "gunicorn": 8003, "gunicorn-gevent": 8007, "uwsgi": 8005}


def statement(worker: int = 11, began_at: float = 0.0, took_s: float = 0.01, **more: object) -> Statement:
    usual = Statement(
        worker,
        began_at,
        began_at + took_s,
        cpu_s=0.001,
        threaded=True,
        processes=False,
        client="127.0.0.1",
        forwarded_for="",
        threads=(),
        imported=Import(worker, 0.2),
        memory_mb=30.0,
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def answer(body: str = "hello", **more: object) -> Answer:
    usual = Answer(200, (("content-type", "text/plain"),), body, 0.0, 0.02, 0.02, statement=statement())
    return replace(usual, **more)  # type: ignore[arg-type]


def checkup(server: str, *answers: Answer, question: Question = QUESTION, **more: object) -> Checkup:
    """A server that gave these answers to one question."""
    plain = answers or (answer(), answer())
    of_question = {name: more.pop(name) for name in ("forwarded", "together") if name in more}
    found = Answers(question, plain, **of_question)  # type: ignore[arg-type]
    usual = Checkup(
        server,
        "nginx" if server == "uwsgi" else None,
        8,
        f"gunicorn -k {server}" if "gevent" in server else server,
        f"127.0.0.1:{PORTS[server]}",
        (found,),
        start_s=1.0,
        memory_mb=120.0,
        memory_limit_mb=537.0,
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def odd(*checkups: Checkup) -> list[Finding]:
    """What was found that is not as it should be."""
    return [finding for finding in findings(checkups) if finding.state != OK]


def told(*checkups: Checkup) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(finding.what, finding.state, finding.servers) for finding in odd(*checkups)]


def test_servers_that_answer_alike_have_nothing_but_their_memory_to_tell() -> None:
    found = findings([checkup("dev"), checkup("gunicorn")])
    assert [(finding.what, finding.state) for finding in found] == [("Asked", OK), ("Memory", OK)]
    assert found[0].said == "1 kind of request (lab.toml) under dev and gunicorn, without load"
    assert found[1].said == "of one worker, after a few requests: dev 30.0 MB, gunicorn 30.0 MB"
    assert findings([]) == ()


ALIKE = {
    "dates": ("at Thu, 26 Nov 2026 03:00:00 GMT", "at Thu, 26 Nov 2026 03:00:09 GMT"),
    "times": ("2026-11-26T03:00:00.123Z, 03:00:01", "2026-11-26T03:00:07.456Z, 03:00:08"),
    "seconds since 1970": ("at 1795662000.5", "at 1795662123.1"),
    "a UUID": ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-e89b-12d3-a456-426614174999"),
    "a signed token": (
        'value="IjAxYTIxZDczOTJkZjVm.aSZ3_A.x5Ue0G4mF1qk3d0a9bT7vN2cXyQ"',
        'value="ImMyMDE2OGU0YjEzN2E0.aSZ4AQ.Q1r8Zb6-wE2yT5uI9oP0aS3dF4g"',
    ),
    "a random token": (f"csrf {'a1b2c3d4' * 8}", f"csrf {'Z9y8X7w6' * 8}"),
    "the server's own address": ("see http://127.0.0.1:8002/x", "see http://127.0.0.1:8003/x"),
    "the worker's number": ("by 4711", "by 4712"),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_what_only_this_moment_or_this_server_could_say_is_no_difference(kind: str) -> None:
    one, other = ALIKE[kind]
    dev = [answer(one, statement=statement(4711))] * 2
    gunicorn = [answer(other, statement=statement(4712))] * 2
    assert odd(checkup("dev", *dev), checkup("gunicorn", *gunicorn)) == []


def test_what_also_differs_between_two_answers_of_one_server_is_no_difference() -> None:
    page = '<input name="csrf" value="{}"> hello {}'
    dev = (answer(page.format("aX9", "you")), answer(page.format("k-2-z", "you")))
    gunicorn = (answer(page.format("Q", "you")), answer(page.format("777", "you")))
    assert odd(checkup("dev", *dev), checkup("gunicorn", *gunicorn)) == []
    another = (answer(page.format("Q", "them")), answer(page.format("777", "them")))
    (finding,) = odd(checkup("dev", *dev), checkup("gunicorn", *another))
    assert (finding.what, finding.servers) == ("Body", ("gunicorn",))
    assert "hello them'" in finding.said
    assert "under dev" in finding.said


def test_a_token_that_one_server_repeats_by_chance_is_no_difference() -> None:
    dev = (answer("token 1 x"), answer("token 2 x"))
    assert odd(checkup("dev", *dev), checkup("gunicorn", answer("token 3 x"), answer("token 3 x"))) == []


def test_another_body_names_the_servers_that_are_alone_with_it() -> None:
    alone = [answer("threads: False")] * 2
    usual = [answer("threads: True")] * 2
    (finding,) = odd(checkup("dev", *usual), checkup("gunicorn", *alone), checkup("uwsgi", *usual))
    assert (finding.what, finding.state, finding.servers) == ("Body", ODD, ("gunicorn",))
    assert finding.said == "home: 'threads: False' here, and 'threads: True' under dev and uwsgi"
    assert finding.means
    assert finding.fix


def test_large_bodies_are_compared_quickly() -> None:
    one = " ".join(f"a{number}" for number in range(6_000))
    other = " ".join(f"b{number}" for number in range(6_000))
    assert told(checkup("dev", answer(one), answer(one)), checkup("gunicorn", answer(other), answer(other))) == [
        ("Body", ODD, ("gunicorn",))
    ]


def test_another_status_is_told_once_and_its_body_is_not_compared() -> None:
    broken = [answer("Internal Server Error", status=500)] * 2
    (finding,) = odd(checkup("dev"), checkup("gunicorn"), checkup("uwsgi", *broken))
    assert (finding.what, finding.state, finding.servers) == ("Answer", MISSING, ("uwsgi",))
    assert finding.said.startswith("home: answered 500, and 200 under dev and gunicorn; ")


@pytest.mark.parametrize(
    ("question", "status", "state"),
    [
        (QUESTION, 404, MISSING),
        (QUESTION, 302, MISSING),
        (replace(QUESTION, statuses=(302,)), 302, None),
        (replace(QUESTION, statuses=(201,)), 200, MISSING),
        (replace(QUESTION, drafted=True), 404, ODD),
        (replace(QUESTION, drafted=True), 500, MISSING),
        (replace(QUESTION, text="basket"), 200, MISSING),
        (replace(QUESTION, text="hell"), 200, None),
    ],
)
def test_an_answer_that_load_would_count_as_failed_is_told(question: Question, status: int, state: str | None) -> None:
    found = told(checkup("dev", *[answer(status=status)] * 2, question=question))
    assert found == ([("Answer", state, ("dev",))] if state else [])


def test_no_whole_answer_is_told_in_the_systems_words() -> None:
    cut = answer("", status=None, error="the connection was closed")
    (finding,) = odd(checkup("dev"), checkup("gunicorn", cut, cut))
    assert "answered by nothing whole (the connection was closed), and 200 under dev" in finding.said
    cut = answer("", status=None, error="authentication failed")
    assert odd(checkup("dev", cut, cut))[0].said.endswith("; the connection ended before the answer did")
    assert odd(checkup("dev", answer(), cut))[0].said.endswith("; two answers differ")


def test_a_header_that_some_server_adds_or_leaves_out_is_told_and_those_of_servers_are_not() -> None:
    def with_headers(*pairs: tuple[str, str]) -> list[Answer]:
        return [answer(headers=pairs)] * 2

    dev = with_headers(("server", "Werkzeug"), ("date", "today"), ("x-mode", "debug"), ("etag", "1"))
    gunicorn = with_headers(("server", "gunicorn"), ("connection", "close"), ("etag", "1"))
    (finding,) = odd(checkup("dev", *dev), checkup("gunicorn", *gunicorn))
    assert (finding.what, finding.servers) == ("Header", ("gunicorn",))
    assert finding.said == "home: 'no x-mode' here, and 'x-mode: debug' under dev"


def test_a_cookie_that_is_set_once_is_no_difference() -> None:
    first, second = answer(headers=(("set-cookie", "session=abc; Path=/"),)), answer(headers=())
    other = replace(first, headers=(("set-cookie", "session=xyz; Path=/"),))
    assert odd(checkup("dev", first, second), checkup("gunicorn", other, second)) == []


def forwarded(body: str, **more: object) -> Answer:
    return answer(body, statement=statement(forwarded_for=FORWARDED_FOR), **more)


def test_a_client_that_is_taken_for_its_proxy_is_told_with_the_cure() -> None:
    lost = checkup("dev", *[answer("you are 127.0.0.1")] * 2, forwarded=forwarded("you are 127.0.0.1"))
    kept = checkup("uwsgi", *[answer("you are 127.0.0.1")] * 2, forwarded=forwarded(f"you are {FORWARDED_FOR}"))
    (finding,) = odd(lost, kept)
    assert (finding.what, finding.servers) == ("Client address", ("dev",))
    assert "ProxyFix(app.wsgi_app, x_for=1" in finding.fix


def test_a_proxy_that_names_the_client_itself_is_not_accused() -> None:
    own = answer("you are 127.0.0.1", statement=statement(forwarded_for="127.0.0.1"))
    assert odd(checkup("uwsgi", *[answer("you are 127.0.0.1")] * 2, forwarded=own)) == []


def test_a_server_behind_a_socket_gives_no_address_and_that_is_no_difference_of_bodies() -> None:
    nameless = answer("you are ", statement=statement(client=""))
    direct = checkup("dev", *[answer("you are 127.0.0.1")] * 2, forwarded=forwarded(f"you are {FORWARDED_FOR}"))
    (finding,) = odd(direct, checkup("gunicorn", nameless, nameless, forwarded=nameless))
    assert (finding.what, finding.servers) == ("Client address", ("gunicorn",))
    assert "there is no address at all" in finding.said


def test_an_app_that_shows_no_address_is_not_asked_to_look_for_one() -> None:
    assert odd(checkup("dev", forwarded=forwarded("hello"))) == []


def test_links_that_stay_http_behind_tls_are_told() -> None:
    link = "see http://127.0.0.1:{}/next"
    dev = checkup("dev", *[answer(link.format(8002))] * 2, forwarded=forwarded(link.format(8002)))
    secure = forwarded(link.format(8003).replace("http:", "https:"))
    gunicorn = checkup("gunicorn", *[answer(link.format(8003))] * 2, forwarded=secure)
    (finding,) = odd(dev, gunicorn)
    assert (finding.what, finding.servers) == ("Scheme", ("dev",))
    assert finding.said.endswith("answered as for http, and as for https under gunicorn")
    (finding,) = odd(dev)
    assert finding.servers == ("dev",), "also where no server does better"
    location = (("location", "http://127.0.0.1:8002/next"),)
    redirect = replace(QUESTION, statuses=(302,))
    moved = [answer("", status=302, headers=location)] * 2
    assert [finding.what for finding in odd(checkup("dev", *moved, question=redirect, forwarded=moved[0]))] == [
        "Scheme"
    ]


def timed(first_s: float, last_s: float) -> Answer:
    return answer(sent_at=100.0, first_at=100.0 + first_s, last_at=100.0 + last_s)


def test_a_stream_that_comes_all_at_once_is_told() -> None:
    flowing, held = [timed(0.05, 0.65)] * 2, [timed(0.65, 0.65)] * 2
    (finding,) = odd(checkup("dev", *flowing), checkup("uwsgi", *held), checkup("gunicorn", *flowing))
    assert (finding.what, finding.servers) == ("Stream", ("uwsgi",))
    assert finding.said == "home: the first byte of the answer comes after 0.65 s, and under dev after 0.05 s of 0.65 s"
    assert "X-Accel-Buffering: no" in finding.fix


@pytest.mark.parametrize(
    "answers",
    [
        [timed(0.05, 0.65), timed(0.65, 0.65)],  # once, by chance
        [timed(0.02, 0.02)] * 2,  # quick: a cached answer, maybe
        [timed(0.30, 0.65)] * 2,  # a part of it flows
    ],
)
def test_what_is_not_held_back_each_time_is_no_buffer(answers: Sequence[Answer]) -> None:
    assert odd(checkup("dev", *[timed(0.05, 0.65)] * 2), checkup("uwsgi", *answers)) == []


def test_an_upload_that_is_answered_unread_is_told_and_who_waited() -> None:
    post = Question("photo", "POST", "/photo")
    (finding,) = odd(
        checkup("dev", *[answer(early=True)] * 2, question=post), checkup("uwsgi", *[answer()] * 2, question=post)
    )
    assert (finding.what, finding.servers) == ("Upload", ("dev",))
    assert finding.said == "photo: answered before it is read; uwsgi waited for all of it"


def together(worker: int, sent_at: float, began_at: float, took_s: float = 0.2, **more: object) -> Answer:
    return answer(sent_at=sent_at, statement=statement(worker, began_at, took_s, **more))


TURNS = (together(11, 1.0, 1.01), together(12, 1.0, 1.01), together(11, 1.0, 1.22))
OVERLAPPING = (together(11, 1.0, 1.01), together(11, 1.0, 1.02))


def test_requests_that_take_turns_in_one_worker_are_told_with_the_cause() -> None:
    gevent = checkup("gunicorn-gevent", together=TURNS)
    (finding,) = odd(checkup("dev", together=OVERLAPPING), gevent)
    assert (finding.what, finding.servers) == ("Concurrency", ("gunicorn-gevent",))
    assert "they block in a way that gevent does not know" in finding.said
    (finding,) = odd(checkup("dev", together=TURNS), gevent)
    assert "they wait for each other" in finding.said
    alone = [answer(statement=statement(took_s=0.2, cpu_s=0.15))] * 2
    (finding,) = odd(checkup("gunicorn-gevent", *alone, together=TURNS))
    assert "they compute" in finding.said


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (together(11, 1.0, 1.01), together(12, 1.0, 1.01)),  # never met
        (together(11, 1.0, 1.01), together(11, 1.3, 1.31)),  # sent when the first was over
        (*TURNS, together(12, 1.0, 1.05)),  # others did overlap
    ],
)
def test_requests_that_did_not_meet_prove_nothing(answers: tuple[Answer, ...]) -> None:
    assert odd(checkup("gunicorn-gevent", together=answers)) == []


def by(worker: int, at: float, body: str) -> Answer:
    return answer(body, statement=statement(worker, at, processes=True))


def test_a_count_that_begins_again_in_each_worker_is_state() -> None:
    plain = [by(11, 1, "hits: 1"), by(12, 2, "hits: 1"), by(12, 3, "hits: 2"), by(11, 4, "hits: 2")]
    (finding,) = odd(checkup("gunicorn", *plain), checkup("dev", answer("hits: 1"), answer("hits: 2")))
    assert (finding.what, finding.servers) == ("State in memory", ("gunicorn",))
    assert "by itself: 'hits: 1', then 'hits: 2' in one, and again in another" in finding.said


def test_an_answer_that_is_each_workers_own_is_state() -> None:
    plain = [by(11, 1, "key a1"), by(12, 2, "key b2"), by(11, 3, "key a1"), by(12, 4, "key b2")]
    (finding,) = odd(checkup("gunicorn", *plain))
    assert "'key a1' in one, 'key b2' in another" in finding.said


def test_a_basket_that_was_emptied_meanwhile_is_no_state() -> None:
    plain = [by(11, 1, "1 cup"), by(12, 2, "1 cup"), *(by(worker, 3, "empty") for worker in (11, 12, 11, 12))]
    (told_of,) = odd(checkup("gunicorn", *plain))
    assert told_of.what == "State in memory", "as if nothing else had been asked"
    found = checkup("gunicorn", *plain)
    settled = replace(found, answers=tuple(replace(answers, unsettled=2) for answers in found.answers))
    assert odd(settled) == []


@pytest.mark.parametrize(
    "plain",
    [
        [by(11, 1, "n 1"), by(12, 2, "n 2"), by(11, 3, "n 3"), by(12, 4, "n 4")],  # counted in a database
        [by(11, 1, "n 1"), by(11, 2, "n 2"), by(12, 3, "n 1")],  # one answer of the other is none to go by
        [by(11, 1, "by 11"), by(12, 2, "by 12"), by(11, 3, "by 11"), by(12, 4, "by 12")],  # it only says who it is
    ],
)
def test_what_workers_share_is_no_state(plain: Sequence[Answer]) -> None:
    assert odd(checkup("gunicorn", *plain)) == []


def imported(worker: int, process: int, alive: tuple[str, ...], after_fork: tuple[str, ...] | None) -> list[Answer]:
    how = Import(process, 0.2, ("poller",), after_fork)
    return [answer(statement=statement(worker, imported=how, threads=alive))] * 2


def test_threads_that_a_fork_loses_are_told() -> None:
    lost = checkup("gunicorn", *imported(11, 10, (), ()))
    fragile = checkup("uwsgi", *imported(11, 11, ("poller",), ()))
    assert told(lost, fragile) == [("Threads", MISSING, ("gunicorn",)), ("Threads", ODD, ("uwsgi",))]
    assert "'poller'" in odd(fragile)[0].said


@pytest.mark.parametrize(
    "answers",
    [
        imported(11, 11, ("poller",), ("poller",)),  # the app starts it again after a fork
        imported(11, 11, (), ()),  # it had done its work and ended
        imported(11, 11, ("poller",), None),  # nobody tried
    ],
)
def test_threads_that_live_or_have_ended_by_themselves_are_no_loss(answers: Sequence[Answer]) -> None:
    assert odd(checkup("gunicorn", *answers)) == []


def test_a_slow_start_is_told_by_the_clock_or_else_by_the_import() -> None:
    slow = [answer(statement=statement(imported=Import(11, 7.25)))] * 2
    (finding,) = odd(checkup("dev", start_s=6.04), checkup("gunicorn"), checkup("uwsgi", *slow, start_s=None))
    assert (finding.what, finding.servers) == ("Start-up", ("dev", "uwsgi"))
    assert finding.said == "it takes long until a server answers: dev 6.0 s, uwsgi 7.2 s"


def test_a_server_under_which_the_app_does_not_start_is_told_and_the_others_are_compared() -> None:
    broken = Checkup("uwsgi", "nginx", 8, "uwsgi", "", trouble=("uwsgi did not start: …", "the app", "./lab run"))
    found = odd(checkup("dev"), broken, checkup("gunicorn", *[answer("hi")] * 2))
    assert [(finding.what, finding.servers) for finding in found] == [("Start", ("uwsgi",)), ("Body", ("gunicorn",))]
    assert found[0].fix == "./lab run"


def test_memory_that_nearly_fills_a_container_is_told() -> None:
    (finding,) = odd(checkup("dev", memory_mb=500.0), checkup("gunicorn", memory_mb=500.0, memory_limit_mb=None))
    assert (finding.what, finding.servers) == ("Memory", ("dev",))
    assert finding.said == "500 MB in all after a few requests, and a container gets 537 MB"


def test_what_is_the_same_with_several_requests_is_said_once() -> None:
    def threaded(server: str, says: str) -> Checkup:
        answers = [Answers(Question(name, "GET", "/"), (answer(says),) * 2) for name in ("a", "b", "c", "d", "e")]
        return checkup(server, answers=tuple(answers))

    (finding,) = odd(threaded("dev", "threads: True"), threaded("gunicorn", "threads: False"))
    assert finding.said == "a, b, c and 2 more: 'threads: False' here, and 'threads: True' under dev"
    assert finding.servers == ("gunicorn",)


def test_a_server_that_takes_the_header_away_is_named_with_its_option() -> None:
    taken = answer("you are 127.0.0.1")
    (finding,) = odd(checkup("dev", *[answer("you are 127.0.0.1")] * 2, forwarded=taken))
    assert (finding.what, finding.servers) == ("Client address", ("dev",))
    assert finding.said.endswith("(dev takes the header away before the app sees it: --trusted-proxy)")


def test_an_answer_that_changes_by_chance_does_not_depend_on_the_scheme() -> None:
    dev = checkup("dev", *[answer("a quote")] * 2, forwarded=forwarded("another quote"))
    assert odd(dev, checkup("gunicorn", *[answer("a quote")] * 2, forwarded=forwarded("a quote"))) == []


def test_a_redirect_or_a_secure_cookie_for_https_alone_shows_who_knows_the_scheme() -> None:
    for secure in (forwarded("", status=302), forwarded("hello", headers=(("set-cookie", "a=1; Path=/; Secure"),))):
        knows = checkup("gunicorn", forwarded=secure)
        (finding,) = odd(knows, checkup("dev", forwarded=forwarded("hello")))
        assert (finding.what, finding.servers) == ("Scheme", ("dev",))
