"""On another machine, in a container: what a runner that is elsewhere has done there, by its word.

On a load host that is one k6 for one window; next to servers it is questions to their exporters, for as long as the run
takes.

It is spoken to on its standard input and answers on its standard output, so no machine opens a port for it. It ends
when nobody speaks to it any more: a runner that was killed, or a link that was cut, leaves no load behind.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

import msgspec

from wsgilab.engines import Endpoint
from wsgilab.errors import LabError
from wsgilab.lab import ROOT
from wsgilab.lab.sources import digest
from wsgilab.machine import cpus, http
from wsgilab.machine.tools import find_k6
from wsgilab.measure import load
from wsgilab.measure.k6 import version_of_k6
from wsgilab.measure.k6_command import K6, Segment, Traffic
from wsgilab.measure.load import LoadRun
from wsgilab.measure.manifest import host
from wsgilab.measure.start_line import StartLine
from wsgilab.measure.way import Listener, Way
from wsgilab.model import far
from wsgilab.model.far import Answer, Failed, Hello, Order, Path, Question, Used

SILENCE_S = 10.0
"""A runner says something every second."""
TELL_EVERY_S = 0.5
LOOK_EVERY_S = 0.1
CONNECTIONS = 20
CONNECT_TIMEOUT_S = 2.0
EVERY_ADDRESS = "0.0.0.0"
"""Of the container: what its engine publishes of it is another matter."""
HEADERS = ("Content-Type", "X-Lab-Server", "X-Lab-Run")
ITS_K6, ITS_RUNNER = 1, 2
"""Who has to be at the start line here: k6 itself, and the runner's word that all others are at theirs."""


@dataclass(frozen=True)
class FarSide:
    """One end of the line."""

    words: queue.Queue[str | None]
    """What the runner says; None where it will say nothing more."""
    say: Callable[[str], None]

    def attend(self) -> None:
        """Say who is there, then answer until there is an order, and carry that out."""
        k6 = str(find_k6())
        self.say(far.line(far.HELLO, Hello(digest(ROOT), version_of_k6(k6), len(cpus.available()) or 1, host())))
        with ExitStack() as doors:
            while (word := self._next(SILENCE_S)) is not None:
                kind, content = far.split(word)
                if kind == far.ORDER:
                    self._carry_out(msgspec.json.decode(content, type=Order), k6)
                    return
                self._answer(kind, content, doors)

    def _answer(self, kind: str, content: str, doors: ExitStack) -> None:
        if kind == far.PING:
            self.say(far.line(far.PONG, [msgspec.json.decode(content), time.time()]))
        elif kind == far.REACH:
            self.say(far.line(far.REACHED, reach(msgspec.json.decode(content, type=str))))
        elif kind == far.LISTEN:
            doors.enter_context(Listener(EVERY_ADDRESS, far.DOOR))
            self.say(far.line(far.LISTENING))
        elif kind == far.ASK:  # each on its own: a server that is slow to answer delays no other
            question = msgspec.json.decode(content, type=Question)
            threading.Thread(target=self._pass_on, args=(question,), daemon=True).start()

    def _pass_on(self, question: Question) -> None:
        answer = asked(question)
        with suppress(OSError):  # whoever was to hear it has gone
            self.say(far.line(far.ANSWER, answer))

    def _carry_out(self, order: Order, k6: str) -> None:
        traffic = Traffic(order.described, None, order.keep_alive, order.patience_s)
        at = Endpoint(order.url, "", None, order.run_id)
        try:
            with StartLine(ITS_RUNNER) as line:
                segment = Segment(order.number, order.of, line.url(ITS_K6), True, order.host)
                way = Way(order.way) if order.way else None
                with load.start(K6(k6, traffic=traffic), order.plan, at, segment) as run:
                    if self._watch(run, line, way):
                        self._hand_over(run)
        except LabError as error:
            self.say(far.line(far.FAILED, Failed(error.what, error.cause)))
        self.say(far.line(far.OVER))

    def _watch(self, run: LoadRun, line: StartLine, way: Way | None) -> bool:
        """Until k6 has ended. Whether the runner still wants to know. Raises LabError where the way is cut."""
        arrived = False
        heard_at = told_at = time.monotonic()
        while not run.poll():
            if not arrived and ITS_K6 not in line.missing:
                arrived = True
                self.say(far.line(far.ARRIVED, Used(run.cpu_s, run.wait_s)))
            if time.monotonic() - told_at > TELL_EVERY_S:
                told_at = time.monotonic()
                self.say(far.line(far.USED, Used(run.cpu_s, run.wait_s)))
                if way and way.is_cut():
                    what = f"{run.name} lost its way to the servers' address: {way.trouble}"
                    raise LabError(what, "a link that was cut, or a firewall", "./lab doctor")
            word = self._heard()
            if word == far.GO:
                line.arrive(ITS_RUNNER)
            if word:
                heard_at = time.monotonic()
            if word is None or time.monotonic() - heard_at > SILENCE_S:
                return False
        return True

    def _hand_over(self, run: LoadRun) -> None:
        self.say(far.line(far.DONE, run.hand_over()))
        with run.console() as lines:
            for one in lines:
                self.say(one.rstrip("\n"))

    def _heard(self) -> str | None:
        """The kind of the next word within a moment, "" where there is none; None where none will come."""
        try:
            word = self.words.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            return ""
        return None if word is None else far.split(word)[0]

    def _next(self, patience_s: float) -> str | None:
        try:
            return self.words.get(timeout=patience_s)
        except queue.Empty:
            return None


def listening(source: IO[str], alive: Callable[[], object]) -> queue.Queue[str | None]:
    """The lines of a stream as they come, and None at its end. `alive` is called at each."""
    words: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for said in source:
            alive()
            words.put(said.rstrip("\n"))
        words.put(None)

    threading.Thread(target=read, daemon=True).start()
    return words


def speaking(sink: IO[str]) -> Callable[[str], None]:
    """Says lines to a stream, each of them whole, whichever thread says it."""
    turn = threading.Lock()

    def say(line: str) -> None:
        with turn:
            sink.write(f"{line}\n")
            sink.flush()

    return say


def asked(question: Question) -> Answer:
    """What an address of this machine answers."""
    try:
        answer = http.ask(question.url, timeout_s=question.timeout_s)
    except http.NoAnswer as error:
        return Answer(question.number, trouble=str(error))
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    return Answer(question.number, answer.status, headers, answer.body)


def reach(url: str) -> Path:
    """How long connections to an address take."""
    at = urlsplit(url)
    took_ms = []
    for _ in range(CONNECTIONS):
        began = time.perf_counter()
        try:
            with socket.create_connection((str(at.hostname), int(at.port or 80)), timeout=CONNECT_TIMEOUT_S):
                took_ms.append((time.perf_counter() - began) * 1000)
        except OSError as error:
            return Path(trouble=str(error))
    return Path(tuple(sorted(took_ms)))
