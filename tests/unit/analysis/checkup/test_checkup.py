"""A check-up says what was asked, and every finding once."""

from __future__ import annotations

from checkups import answer, checkup, odd

from wsgilab.analysis.checkup import findings
from wsgilab.model.checkup import Answers, Checkup, Question
from wsgilab.model.finding import OK


def test_servers_that_answer_alike_have_nothing_but_their_memory_to_tell() -> None:
    found = findings([checkup("dev"), checkup("gunicorn")])
    assert [(finding.what, finding.state) for finding in found] == [("Asked", OK), ("Memory", OK)]
    assert found[0].said == "1 kind of request (lab.toml) under dev and gunicorn, without load"
    assert found[1].said == "of one worker, after a few requests: dev 30.0 MB, gunicorn 30.0 MB"
    assert findings([]) == ()


def test_what_is_the_same_with_several_requests_is_said_once() -> None:
    def threaded(server: str, says: str) -> Checkup:
        answers = [Answers(Question(name, "GET", "/"), (answer(says),) * 2) for name in ("a", "b", "c", "d", "e")]
        return checkup(server, answers=tuple(answers))

    (finding,) = odd(threaded("dev", "threads: True"), threaded("gunicorn", "threads: False"))
    assert finding.said == "a, b, c and 2 more: 'threads: False' here, and 'threads: True' under dev"
    assert finding.servers == ("gunicorn",)
