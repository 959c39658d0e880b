"""When answers come: streams that are held back, uploads answered unread, requests that take turns."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from checkups import answer, checkup, odd, statement

from wsgilab.model.checkup import Answer, Question


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
    assert "they compute, and the greenlets of a worker share one thread" in finding.said


def test_threads_that_compute_in_turns_are_not_taken_for_greenlets() -> None:
    alone = [answer(statement=statement(took_s=0.2, cpu_s=0.15))] * 2
    (finding,) = odd(checkup("gunicorn", *alone, together=TURNS))
    assert "under a lock, or in C code that keeps the interpreter lock" in finding.said
    assert "greenlets" not in f"{finding.said} {finding.fix}"


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
