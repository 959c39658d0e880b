"""What a check-up says of workers: their state, their threads, their start, their memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from checkups import answer, checkup, odd, statement, told

from wsgilab.model.checkup import Answer, Checkup, Import
from wsgilab.model.finding import MISSING, ODD


def by(worker: int, at: float, body: str) -> Answer:
    return answer(body, statement=statement(worker, at, processes=True))


def test_a_count_that_begins_again_in_each_worker_is_state() -> None:
    plain = [by(11, 1, "hits: 1"), by(12, 2, "hits: 1"), by(12, 3, "hits: 2"), by(11, 4, "hits: 2")]
    (finding,) = odd(checkup("gunicorn", *plain), checkup("dev", answer("hits: 1"), answer("hits: 2")))
    assert (finding.what, finding.servers) == ("State in memory", ("gunicorn",))
    assert "keeps its own count: 'hits: 1', then 'hits: 2' in one, and again in another" in finding.said


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
    assert finding.said == "servers take long to answer for the first time: dev 6.0 s, uwsgi 7.2 s"


def test_a_server_under_which_the_app_does_not_start_is_told_and_the_others_are_compared() -> None:
    broken = Checkup("uwsgi", "nginx", 8, "uwsgi", "", trouble=("uwsgi did not start: …", "the app", "./lab run"))
    found = odd(checkup("dev"), broken, checkup("gunicorn", *[answer("hi")] * 2))
    assert [(finding.what, finding.servers) for finding in found] == [("Start", ("uwsgi",)), ("Body", ("gunicorn",))]
    assert found[0].fix == "./lab run"


def test_memory_that_nearly_fills_a_container_is_told() -> None:
    (finding,) = odd(checkup("dev", memory_mb=500.0), checkup("gunicorn", memory_mb=500.0, memory_limit_mb=None))
    assert (finding.what, finding.servers) == ("Memory", ("dev",))
    assert finding.said == "500 MB in all after a few requests, and a container gets 537 MB"
