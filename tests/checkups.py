"""Check-ups as servers would give them, for tests of what is found in them."""

from __future__ import annotations

from dataclasses import replace

from wsgilab.analysis.checkup import findings
from wsgilab.model.checkup import FORWARDED_FOR, Answer, Answers, Checkup, Import, Question, Statement
from wsgilab.model.finding import OK, Finding

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


def forwarded(body: str, **more: object) -> Answer:
    return answer(body, statement=statement(forwarded_for=FORWARDED_FOR), **more)


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
