"""A check-up tells what differs between servers from what differs between any two answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from checkups import QUESTION, answer, checkup, odd, statement, told

from wsgilab.model.checkup import Answer, Question
from wsgilab.model.finding import MISSING, ODD

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
    assert ": no complete answer (the connection was closed), and 200 under dev" in finding.said
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
