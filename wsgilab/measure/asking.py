"""A visitor of one server: asks each kind of request once or a few times, and brings back what there was to see."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import msgspec

from wsgilab.errors import ServerError
from wsgilab.lab.mix import Mix, Step
from wsgilab.machine import http
from wsgilab.machine.exchanges import Incoming, Outgoing, exchange
from wsgilab.machine.waiting import Stop
from wsgilab.model.checkup import FORWARDED_FOR, KEPT_CHARACTERS, Answer, Answers, Statement

TIMEOUT_S = 20.0
APART_S = 1.1
"""Between the two times that each request is asked: more than the step of a clock that shows seconds."""
SLOW_S = 0.1
"""An answer that takes so long can be waited for twice at a time, and one sees whether that helps."""
MOST_SLOW = 4
MOST_FOR_WORKERS = 12
"""How often a request is asked in all, until two workers have answered it twice."""
SAFE = ("GET", "HEAD")
FORWARDED = {"X-Forwarded-For": FORWARDED_FOR, "X-Forwarded-Proto": "https"}
WITNESS = "x-lab-witness"
ROUTES = "/.wsgilab/routes"
MOST_LOGIN_REDIRECTS = 10


def routes_at(url: str) -> list[Mapping[str, Any]]:
    """The routes of the app, as the witness at this address tells them; none where there is no witness."""
    try:
        answer = http.ask(f"{url}{ROUTES}")
        found: list[Mapping[str, Any]] = json.loads(answer.text)
    except (http.NoAnswer, ValueError):
        return []
    return found if answer.ok else []


class Visitor:
    """One user of one server: its cookies, and what it has learnt from answers."""

    def __init__(self, url: str, mix: Mix, at_once: int, stop: Stop) -> None:
        """`at_once`: so many requests at the same time that two must meet in one worker."""
        self._url = url
        self._mix = mix
        self._at_once = at_once
        self._stop = stop
        self._cookies: dict[str, str] = {}
        self._values: dict[str, Any] = dict(mix.user)

    def ask_everything(self) -> tuple[Answers, ...]:
        """Log in, where there is a login, and ask every question. Raises ServerError for a login that is refused.

        The second time another visitor asks: what belongs to a session is no difference between servers either.
        """
        first = self._each_asked()
        self._stop.wait(APART_S)
        second = Visitor(self._url, self._mix, self._at_once, self._stop)._each_asked()
        slow = self._slow(first)
        return tuple(
            self._more(number, (first[number], second[number]), number in slow) for number in range(len(first))
        )

    def _each_asked(self) -> list[Answer]:
        self._log_in()
        answers = []
        for step in self._mix.steps:
            self._stop.check()
            answers.append(self._asked(step))
        return answers

    def _more(self, number: int, plain: tuple[Answer, ...], is_slow: bool) -> Answers:
        self._stop.check()
        question, step = self._mix.questions[number], self._mix.steps[number]
        if question.method not in SAFE:
            return Answers(question, plain)
        unsettled = len(plain) if any(other.method not in SAFE for other in self._mix.questions) else 0
        if not is_slow and _has_processes(plain):
            plain = self._until_two_workers(step, plain, unsettled)
        forwarded = self._asked(step, FORWARDED)
        together = self._together(step, self._at_once) if is_slow else ()
        return Answers(question, plain, forwarded, together, unsettled)

    def _slow(self, answers: Sequence[Answer]) -> frozenset[int]:
        """The slowest of the questions that take long enough, where the server takes several at once."""
        long = {
            number: statement.answered_at - statement.began_at
            for number, answer in enumerate(answers)
            if (statement := answer.statement) and statement.threaded
        }
        slowest = sorted((number for number, took_s in long.items() if took_s >= SLOW_S), key=lambda n: -long[n])
        return frozenset(slowest[:MOST_SLOW])

    def _until_two_workers(self, step: Step, plain: tuple[Answer, ...], unsettled: int) -> tuple[Answer, ...]:
        """The same with more answers. Pairs meet different workers sooner than one after the other."""
        while len(plain) - unsettled < MOST_FOR_WORKERS and _workers_heard(plain[unsettled:]) < 2:
            plain = (*plain, *self._together(step, 2))
        return plain

    def _together(self, step: Step, count: int) -> tuple[Answer, ...]:
        answers: list[Answer] = []
        ask: Callable[[], None] = lambda: answers.append(self._asked(step))  # noqa: E731 - a thread's target
        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return tuple(answers)

    def _asked(self, step: Step, more: Mapping[str, str] | None = None) -> Answer:
        values = {**self._values, **step.row}
        incoming = self._sent(step, values, more or {})
        self._learn(step, incoming)
        return _answer(incoming)

    def _sent(self, step: Step, values: Mapping[str, Any], more: Mapping[str, str]) -> Incoming:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Accept": "*/*", **step.all_headers(values), **({"Cookie": cookies} if cookies else {}), **more}
        outgoing = Outgoing(step.method, step.full_path(values), headers, step.body(values))
        return exchange(self._url, outgoing, TIMEOUT_S)

    def _learn(self, step: Step, incoming: Incoming) -> None:
        """Keep the cookies of an answer, and what the step wants saved of it."""
        for name, value in incoming.headers:
            if name == "set-cookie":
                self._cookies |= _cookies(value)
        text = incoming.body.decode(errors="replace")
        for name, pattern in step.save.items():
            if found := re.search(pattern, text):
                self._values[name] = found[1]

    def _log_in(self) -> None:
        for number, step in enumerate(self._mix.login, 1):
            incoming = self._sent(step, self._values, {})
            self._learn(step, incoming)
            for _ in range(MOST_LOGIN_REDIRECTS):
                location = dict(incoming.headers).get("location")
                if location is None or incoming.status not in (301, 302, 303):
                    break
                at = urlsplit(location)
                page = Step("GET", (at.path or "/") + (f"?{at.query}" if at.query else ""), save=step.save)
                incoming = self._sent(page, self._values, {})
                self._learn(page, incoming)
            if incoming.status is None or not 200 <= incoming.status < 400:
                raise ServerError(
                    f"login: step {number} ({step.method} {step.path}) was answered "
                    f"{incoming.status or incoming.error}.",
                    "the values in login_data, or a step that is missing in lab.toml",
                    "./lab run --debug",
                )


def _answer(incoming: Incoming) -> Answer:
    headers = tuple(pair for pair in incoming.headers if pair[0] != WITNESS)
    return Answer(
        incoming.status,
        headers,
        incoming.body.decode(errors="replace")[:KEPT_CHARACTERS],
        incoming.sent_at,
        incoming.first_at,
        incoming.last_at,
        incoming.early,
        incoming.error,
        _statement(dict(incoming.headers).get(WITNESS)),
    )


def _statement(text: str | None) -> Statement | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Statement)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def _has_processes(answers: Sequence[Answer]) -> bool:
    return any(answer.statement and answer.statement.processes for answer in answers)


def _workers_heard(answers: Sequence[Answer]) -> int:
    """How many workers have answered twice."""
    workers = [answer.statement.worker for answer in answers if answer.statement]
    return sum(workers.count(worker) >= 2 for worker in set(workers))


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
