"""Whether another machine could send load now: its engine, its image, its clock, its way to the servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from wsgilab.engines import far_engines
from wsgilab.engines.far_engines import EngineFacts, Silence, Trouble
from wsgilab.machine.dialogue import Dialogue
from wsgilab.measure.far_load import HELLO_S
from wsgilab.model import far
from wsgilab.model.clock import NO_CLOCK, PINGS, Clock, better
from wsgilab.model.far import Hello, Path
from wsgilab.model.hosts import Host

END_S = 3.0


@dataclass(frozen=True)
class Seen:
    """What was found on a load host."""

    engine: EngineFacts | None = None
    hello: Hello | None = None
    clock: Clock = NO_CLOCK
    path: Path | None = None
    """The way to the servers, where somebody wanted to know."""
    trouble: Trouble | None = None

    @property
    def engine_id(self) -> str:
        """Which engine it is."""
        return self.engine.id if self.engine else ""

    @property
    def image(self) -> str:
        """Which image its container is of."""
        return self.engine.image if self.engine else far_engines.IMAGE

    @property
    def sources(self) -> str:
        """The digest of its lab."""
        return self.hello.sources if self.hello else ""

    @property
    def k6(self) -> str:
        """What its k6 says it is."""
        return self.hello.k6 if self.hello else ""

    @property
    def cpus(self) -> int:
        """How many its generators have."""
        return self.hello.cpus if self.hello else 1


def look(host: Host, url: str = "", overlay: str = "") -> Seen:
    """What there is on a load host; `url`: where it would reach the servers, to be tried too, by that network."""
    engine = far_engines.ask(host)
    if isinstance(engine, Silence):
        return Seen(trouble=far_engines.silent(host, engine))
    if trouble := far_engines.unfit(host, engine) or _no_image(host, engine):
        return Seen(engine, trouble=trouble)
    return _Conversation(far_engines.far_side(host, engine.image, overlay), host, url).seen(engine)


def path_from(host: Host, seen: Seen, url: str, overlay: str = "") -> Path:
    """The way from a load host that was looked at to where it would reach the servers."""
    again = _Conversation(far_engines.far_side(host, seen.image, overlay), host, url).seen(seen.engine)
    return again.path or Path(trouble=again.trouble.said if again.trouble else "no answer")


def _no_image(host: Host, engine: EngineFacts) -> Trouble | None:
    if not engine.has_image:
        return Trouble(f"it has no {far_engines.IMAGE}", "it was not built there yet", far_engines.image_for(host))
    if engine.image_architecture != engine.architecture:
        what = f"its {far_engines.IMAGE} is for {engine.image_architecture}, and the machine is {engine.architecture}"
        return Trouble(what, "it was loaded from a machine of another kind", far_engines.image_for(host))
    return None


class _Conversation:
    """With the far side of a host: who it is, what time it is there, and what it reaches."""

    def __init__(self, command: Sequence[str], host: Host, url: str) -> None:
        self._host = host
        self._url = url
        self._over = threading.Event()
        self._hello: Hello | None = None
        self._clock = NO_CLOCK
        self._pings = 0
        self._path: Path | None = None
        self._dialogue = Dialogue(command, self._hear)

    def seen(self, engine: EngineFacts | None) -> Seen:
        """All that it says, until there is no more to ask."""
        self._dialogue.start()
        deadline = time.monotonic() + HELLO_S
        while not self._over.wait(0.05) and not self._dialogue.ended and time.monotonic() < deadline:
            pass
        self._dialogue.end(END_S)
        return Seen(engine, self._hello, self._clock, self._path, None if self._hello else self._silent())

    def _silent(self) -> Trouble:
        said = self._dialogue.last_words
        cause = f"it said: {said}" if said else "its container did not start in time"
        return Trouble("its container says nothing", cause, far_engines.image_for(self._host))

    def _hear(self, said: str) -> None:
        now = time.time()
        kind, content = far.split(said)
        if kind == far.HELLO:
            self._hello = msgspec.json.decode(content, type=Hello)
        elif kind == far.PONG:
            sent, answered = msgspec.json.decode(content, type=tuple[float, float])
            self._clock = better(self._clock, sent, answered, now)
        elif kind == far.REACHED:
            self._path = msgspec.json.decode(content, type=Path)
        self._ask_on()

    def _ask_on(self) -> None:
        """The next question."""
        if self._pings < PINGS:
            self._pings += 1
            self._dialogue.say(far.line(far.PING, time.time()))
        elif self._url and self._path is None:
            self._dialogue.say(far.line(far.REACH, self._url))
        else:
            self._over.set()
