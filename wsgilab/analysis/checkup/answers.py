"""What servers answered: the status, what is expected of it, the body, the headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from operator import eq

from wsgilab.analysis.checkup import texts
from wsgilab.analysis.checkup.sides import Side, by_question, sides
from wsgilab.analysis.checkup.texts import Template
from wsgilab.model.checkup import Answer, Answers, Checkup, Question
from wsgilab.model.finding import MISSING, ODD, Finding
from wsgilab.model.words import listed

OF_THE_SERVER = {
    "alt-svc",
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
    "via",
    "x-lab-run",
    "x-lab-server",
}
"""Headers that servers set as they like, or that follow from the body."""
THEN = ", then "
LOG = "the app's log says why: ./lab run --quick shows its last lines"
NO_WHOLE_ANSWER = "no complete answer"
DIFFERENT = "an app that looks at its server, or at what a server leaves out, behaves differently in production"
LOOK = (
    "the app reads what servers set in different ways (SERVER_SOFTWARE, wsgi.multithread …): let no answer depend on it"
)


def statuses(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Answers that are none, that are not the expected ones, or that some server answers in another way."""
    for question, asked in by_question(checkups):
        opinions = sides([(checkup.server, _status(answers)) for checkup, answers in asked], eq)
        usual = opinions[0]
        for side in opinions:
            reason = _not_expected(question, side.value)
            if reason:
                yield _bad_answer(question, side, reason, usual if side is not usual else None)
            elif side is not usual:
                yield _another_status(question, side, usual)
        yield from _texts_missing(question, asked)


def bodies(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Bodies that differ between servers, and not between two answers of one."""
    for question, asked in by_question(checkups):
        comparable = list(_of_the_usual_status(asked))
        opinions = sides([(checkup.server, _body(checkup, answers)) for checkup, answers in comparable], texts.same)
        for side in opinions[1:]:
            usual, here = texts.first_difference(opinions[0].value, side.value)
            yield Finding(
                "Body",
                ODD,
                f"{question.name}: '{here}' here, and '{usual}' under {listed(opinions[0].servers)}",
                LOOK,
                side.servers,
                DIFFERENT,
            )


def headers(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Headers that differ between servers, and not between two answers of one."""
    for question, asked in by_question(checkups):
        comparable = list(_of_the_usual_status(asked))
        names = {name for _, answers in comparable for answer in answers.plain for name, _ in answer.headers}
        for name in sorted(names - OF_THE_SERVER):
            values = [(checkup.server, _header(name, checkup, answers)) for checkup, answers in comparable]
            opinions = sides(values, texts.same)
            for side in opinions[1:]:
                yield _another_header(question, name, side, opinions[0])


def body_of(checkup: Checkup, answer: Answer) -> str:
    """The body of an answer as it can be compared with another's."""
    return texts.normalised(answer.body, answer, checkup)


def _bad_answer(question: Question, side: Side[str], reason: str, usual: Side[str] | None) -> Finding:
    elsewhere = f", and {usual.value} under {listed(usual.servers)}" if usual else ""
    drafted = question.drafted and side.value[0] in "34"
    return Finding(
        "Answer",
        ODD if drafted else MISSING,
        f"{question.name}: {_answered(side.value)}{elsewhere}; {reason}",
        "a lab.toml (./lab init writes one) with values that exist, or without this request" if drafted else LOG,
        side.servers,
        "such requests count as failed under load",
    )


def _another_status(question: Question, side: Side[str], usual: Side[str]) -> Finding:
    said = f"{question.name}: {_answered(side.value)}, and {usual.value} under {listed(usual.servers)}"
    return Finding("Answer", ODD, said, LOOK, side.servers, DIFFERENT)


def _texts_missing(question: Question, asked: Sequence[tuple[Checkup, Answers]]) -> Iterator[Finding]:
    without = [
        checkup.server
        for checkup, answers in asked
        if question.text is not None and any(question.text not in answer.body for answer in answers.plain)
    ]
    if without:
        said = f"{question.name}: the text '{question.text}', which lab.toml expects, is not in the answer"
        yield Finding(
            "Answer", MISSING, said, "expect.text in lab.toml", tuple(without), "such requests count as failed"
        )


def _another_header(question: Question, name: str, side: Side[Template], usual: Side[Template]) -> Finding:
    def of(opinion: Side[Template]) -> str:
        text = "".join(word or texts.HIDDEN for word in opinion.value)
        return f"{name}: {text:.80}" if text else f"no {name}"

    said = f"{question.name}: '{of(side)}' here, and '{of(usual)}' under {listed(usual.servers)}"
    return Finding("Header", ODD, said, LOOK, side.servers, DIFFERENT)


def _status(answers: Answers) -> str:
    """`200`, `no complete answer (…)`, `200, then 500`."""
    found = [
        str(answer.status) if answer.status is not None else f"{NO_WHOLE_ANSWER} ({answer.error})"
        for answer in answers.plain[:2]
    ]
    return THEN.join(dict.fromkeys(found))


def _answered(status: str) -> str:
    """`answered 200`, `no complete answer (…)`."""
    return status if status.startswith(NO_WHOLE_ANSWER) else f"answered {status}"


def _not_expected(question: Question, status: str) -> str:
    """Why an answer would count as failed; empty where it would not."""
    if not re.fullmatch(r"\d+", status):
        return "two answers differ" if THEN in status else "the connection ended before the answer did"
    code = int(status)
    if question.statuses:
        return "" if code in question.statuses else "lab.toml expects another status"
    if 300 <= code < 400:
        return "a redirect is not followed (follow_redirects in lab.toml)"
    return "" if 200 <= code < 300 else "only 2xx is a good answer"


def _of_the_usual_status(asked: Sequence[tuple[Checkup, Answers]]) -> Iterator[tuple[Checkup, Answers]]:
    """The servers that answered as most did: of another answer the body is another, too."""
    opinions = sides([(checkup.server, _status(answers)) for checkup, answers in asked], eq)
    if opinions and opinions[0].value.isdecimal():
        yield from ((checkup, answers) for checkup, answers in asked if checkup.server in opinions[0].servers)


def _body(checkup: Checkup, answers: Answers) -> Template:
    return texts.template([body_of(checkup, answer) for answer in answers.plain])


def _header(name: str, checkup: Checkup, answers: Answers) -> Template:
    said = [", ".join(value for key, value in answer.headers if key == name) for answer in answers.plain]
    normal = map(partial(_normal_header, checkup), answers.plain, said)
    return texts.template(list(normal))


def _normal_header(checkup: Checkup, answer: Answer, value: str) -> str:
    return texts.normalised(value, answer, checkup)
