"""Asks servers on another machine: each address that is asked there is a path of one port on the loopback here.

So exporters are read, by the runner and by Prometheus, as if they were here, and none of their ports leaves its
machine. The other end is a container next to the servers, spoken to through the docker command.
"""

from __future__ import annotations

import itertools
import queue
import socketserver
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from urllib.parse import urlsplit

import msgspec

from wsgilab.errors import LabError, MissingError
from wsgilab.machine.dialogue import Dialogue
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.model import far
from wsgilab.model.clock import NO_CLOCK, PINGS, better
from wsgilab.model.far import Answer, Hello, Question

HELLO_S = 20.0
SILENCE_S = 5.0
SPEAK_EVERY_S = 1.0
STOP_S = 3.0
ASK_TIMEOUT_S = 2.5
"""A little less than whoever reads an exporter waits."""
NO_GATEWAY = 502
LOOPBACK = "127.0.0.1"


class Relay:
    """The container there, and the ports here. Leaving the block ends both."""

    def __init__(self, command: Sequence[str], stop: Stop) -> None:
        """`command` starts the container."""
        self._command = command
        self._stop = stop
        self._dialogue = Dialogue(command, self._hear)
        self._heard_at = time.monotonic()
        self._hello: Hello | None = None
        self._clock = NO_CLOCK
        self._pings = 0
        self._listens = False
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.Queue[Answer]] = {}
        self._port = _Port(self)
        self._known: set[str] = set()
        self._over = threading.Event()

    def __enter__(self) -> Relay:
        """Pass on what is asked here, once it was started."""
        for work in (self._speak_on, self._port.serve_forever):
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._port.shutdown()
        self.close()

    def close(self) -> None:
        """End the container, and give the port back."""
        self._port.server_close()
        self._dialogue.end(STOP_S)

    @property
    def hello(self) -> Hello:
        """Who is there."""
        return self._hello or Hello("", "", 1)

    @property
    def ahead_s(self) -> float:
        """How far the clock there is ahead."""
        return self._clock.ahead_s

    @property
    def silent(self) -> bool:
        """Whether nothing was heard for longer than a link that is there takes."""
        return self._dialogue.ended or time.monotonic() - self._heard_at > SILENCE_S

    def start(self) -> None:
        """Have a container there that answers: the first one, or another where one has fallen silent.

        Raises LabError with what docker said where none comes, Interrupted.
        """
        self._dialogue.end(STOP_S)
        self._dialogue = Dialogue(self._command, self._hear)
        self._hello, self._clock, self._pings, self._listens = None, NO_CLOCK, 0, False
        try:
            self._dialogue.start()
        except OSError as error:
            raise MissingError(
                f"The docker command could not be started: {error}.", "it is not installed here", "./lab doctor"
            ) from error
        if not poll_until(lambda: self._listens or self._dialogue.ended, self._stop, HELLO_S) or not self._listens:
            said = self._dialogue.last_words or f"no word within {HELLO_S:.0f} s"
            raise LabError(said, "its machine, the Docker engine there, or the link to it", "./lab doctor")

    def local(self, url: str) -> str:
        """The address here that gives what `url` gives there."""
        self._known.add(urlsplit(url).netloc)
        return f"http://{LOOPBACK}:{self._port.number}/{url.removeprefix('http://')}"

    def ask(self, path: str) -> Answer | None:
        """What is answered there, for a path of the port here; None where it leads to no address that is known."""
        if path.removeprefix("/").partition("/")[0] not in self._known:
            return None
        number, url = next(self._numbers), f"http:/{path}"
        if self._dialogue.ended:
            return Answer(number, trouble="the relay has ended")
        mine: queue.Queue[Answer] = queue.Queue(1)
        self._waiting[number] = mine
        try:
            self._dialogue.say(far.line(far.ASK, Question(number, url, ASK_TIMEOUT_S)))
            return mine.get(timeout=ASK_TIMEOUT_S)
        except queue.Empty:
            return Answer(number, trouble="no answer in time")
        finally:
            del self._waiting[number]

    def _hear(self, said: str) -> None:
        """A line of the other side, at the moment it comes."""
        now = time.time()
        self._heard_at = time.monotonic()
        kind, content = far.split(said)
        if kind == far.HELLO:
            self._hello = msgspec.json.decode(content, type=Hello)
            self._ping()
        elif kind == far.PONG:
            if self._pings <= PINGS:  # a clock that moves in mid-window would make new workers of old ones
                sent, answered = msgspec.json.decode(content, type=tuple[float, float])
                self._clock = better(self._clock, sent, answered, now)
                self._ping()
        elif kind == far.LISTENING:
            self._listens = True
        elif kind == far.ANSWER:
            answer = msgspec.json.decode(content, type=Answer)
            if mine := self._waiting.get(answer.number):
                mine.put_nowait(answer)

    def _ping(self) -> None:
        """Ask once more what time it is there; then have it listen."""
        self._pings += 1
        if self._pings <= PINGS:
            self._dialogue.say(far.line(far.PING, time.time()))
        else:
            self._dialogue.say(far.line(far.LISTEN))

    def _speak_on(self) -> None:
        """It ends where nobody speaks to it, and its answers show that the link is there."""
        while not self._over.wait(SPEAK_EVERY_S):
            self._dialogue.say(far.line(far.PING, time.time()))


class _Port(socketserver.ThreadingMixIn, HTTPServer):
    """A port of the loopback that passes each GET on."""

    daemon_threads = True

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        super().__init__((LOOPBACK, 0), _Handler)

    def server_bind(self) -> None:
        """Bind, without a look at the network's names."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.number

    @property
    def number(self) -> int:
        """Which port it is."""
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    """GET alone, and only from whoever means this very address: a page in a browser may have a name that leads here."""

    protocol_version = "HTTP/1.1"
    timeout = 5
    wbufsize = -1
    server: _Port

    def do_GET(self) -> None:
        """Pass it on."""
        if self.headers.get("Host") != f"{LOOPBACK}:{self.server.number}":
            self.send_error(403)
            return
        answer = self.server.relay.ask(self.path)
        if answer is None:
            self.send_error(404)
            return
        if not answer.status:
            self.send_error(NO_GATEWAY, answer.trouble[:200].replace("\n", " "))
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
