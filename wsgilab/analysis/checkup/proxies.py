"""What an app takes from its server that a proxy in front changes: the client's address, and http or https."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wsgilab.analysis.checkup import texts
from wsgilab.analysis.checkup.sides import by_question
from wsgilab.model.checkup import FORWARDED_FOR, Answer, Answers, Checkup
from wsgilab.model.finding import ODD, Finding
from wsgilab.model.words import listed

PROXY_FIX = "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1), from werkzeug.middleware.proxy_fix"
FOR = f"{PROXY_FIX}; nginx: proxy_set_header X-Forwarded-For $remote_addr"
PROTO = f"{PROXY_FIX}; nginx: proxy_set_header X-Forwarded-Proto $scheme"
PLACES = ("location", "content-location", "link", "set-cookie")
"""Headers that may hold an address of the app, or depend on the scheme."""


def addresses(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Answers that name the client, and would name the proxy behind one."""
    for question, asked in by_question(checkups):
        if not any(_names_client(answers) for _, answers in asked):
            continue
        lost = tuple(checkup.server for checkup, answers in asked if _loses_client(checkup, answers))
        if lost:
            nameless = [checkup.server for checkup, answers in asked if _client(answers) == ""]
            stripped = [checkup.server for checkup, answers in asked if _is_stripped(checkup, answers)]
            said = f"{question.name}: shows the client's address, and behind a proxy would show the proxy's: "
            said += "X-Forwarded-For is ignored"
            if nameless:
                said += f" (under {listed(nameless)}, which nginx reaches by a unix socket, there is no address at all)"
            if stripped:
                said += f" ({listed(stripped)} takes the header away before the app sees it: --trusted-proxy)"
            yield Finding(
                "Client address",
                ODD,
                said,
                FOR,
                lost,
                "behind a proxy every client has the same address: limits and logs by address go wrong",
            )


def schemes(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Answers that depend on http or https, and do not learn from X-Forwarded-Proto which one it was."""
    for question, asked in by_question(checkups):
        tried = [(checkup, answers) for checkup, answers in asked if answers.forwarded]
        depends = [checkup.server for checkup, answers in tried if _changes(answers)]
        plain_links = [checkup.server for checkup, answers in tried if _links_by_http(checkup, answers)]
        unchanged = [checkup.server for checkup, answers in tried if not _changes(answers)]
        lost = list(dict.fromkeys([*plain_links, *(unchanged if depends else [])]))
        if lost:
            elsewhere = f", and as for https under {listed(depends)}" if depends else ""
            yield Finding(
                "Scheme",
                ODD,
                f"{question.name}: asked with X-Forwarded-Proto: https, answered as for http{elsewhere}",
                PROTO,
                tuple(lost),
                "behind a proxy that terminates TLS, links and redirects lead to http; secure cookies may be missing",
            )


def _names_client(answers: Answers) -> bool:
    """Whether an answer holds the client's address as the server gave it to the app."""
    return all(
        answer.statement is not None and texts.shows_address(answer.body, answer.statement.client)
        for answer in answers.plain[:2]
    )


def _loses_client(checkup: Checkup, answers: Answers) -> bool:
    forwarded = answers.forwarded
    if forwarded is None or forwarded.statement is None or forwarded.status is None:
        return False
    if _client(answers) == "" or _is_stripped(checkup, answers):
        return True
    arrived = FORWARDED_FOR in forwarded.statement.forwarded_for  # nginx may have put its own in place of it
    return arrived and _names_client(answers) and FORWARDED_FOR not in forwarded.body


def _is_stripped(checkup: Checkup, answers: Answers) -> bool:
    """Whether the server itself, for there is no proxy, keeps X-Forwarded-For from the app, as waitress does."""
    statement = answers.forwarded.statement if answers.forwarded else None
    return checkup.via is None and _names_client(answers) and statement is not None and not statement.forwarded_for


def _client(answers: Answers) -> str | None:
    statement = answers.plain[0].statement
    return statement.client if statement else None


def _changes(answers: Answers) -> bool:
    """Whether X-Forwarded-Proto makes a difference: a redirect, https in an address or a word, a secure cookie."""
    forwarded = answers.forwarded
    return forwarded is not None and all(_security(forwarded) != _security(answer) for answer in answers.plain)


def _security(answer: Answer) -> tuple[int | None, int, bool]:
    places = _places(answer).lower()
    return answer.status, f"{places} {answer.body.lower()}".count("https"), "; secure" in places


def _links_by_http(checkup: Checkup, answers: Answers) -> bool:
    """Whether addresses of the app itself still begin with http, when asked by way of https."""
    forwarded = answers.forwarded
    text = f"{_places(forwarded)} {forwarded.body}" if forwarded else ""
    return f"http://{checkup.address}" in text and f"https://{checkup.address}" not in text


def _places(answer: Answer) -> str:
    return "\n".join(f"{name}: {value}" for name, value in answer.headers if name in PLACES)
