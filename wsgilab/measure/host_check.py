"""Whether another machine could send load now: its engine, its image, its clock, its way to the servers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import msgspec

from wsgilab.engines import load_hosts
from wsgilab.engines.load_hosts import EngineFacts, Silence
from wsgilab.errors import to_paste
from wsgilab.machine.dialogue import Dialogue
from wsgilab.measure.far_load import HELLO_S, NO_CLOCK, PINGS, Clock, better
from wsgilab.model import far
from wsgilab.model.far import Hello, Path
from wsgilab.model.hosts import Host

END_S = 3.0
OLDEST = 25
"""The first engine that knows `start_interval`, by which compose.yaml looks at the health of what starts."""


@dataclass(frozen=True)
class Trouble:
    """Why a host cannot send load: what was found, the likely cause, the next command."""

    said: str
    cause: str
    fix: str


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


def look(host: Host, url: str = "") -> Seen:
    """What there is on a load host; `url`: where it would reach the servers, to be tried too."""
    engine = load_hosts.ask(host)
    if isinstance(engine, Silence):
        fix = to_paste(*load_hosts.docker(host), "version")
        return Seen(trouble=Trouble(f"its Docker engine does not answer ({engine.reason})", engine.cause, fix))
    if trouble := _unfit(host, engine):
        return Seen(engine, trouble=trouble)
    return _Conversation(host, url).seen(engine)


def _unfit(host: Host, engine: EngineFacts) -> Trouble | None:
    major = engine.version.partition(".")[0]
    if major.isdecimal() and int(major) < OLDEST:
        fix = to_paste(*load_hosts.docker(host), "version")
        return Trouble(f"Docker {engine.version}", f"the lab needs {OLDEST} or newer", fix)
    if host.cpus and not engine.pins:
        cause = "rootless Docker without the cpuset controller, which would ignore them; leave cpus out, or delegate it"
        return Trouble(f"it cannot keep to the CPUs {host.cpus}", cause, to_paste(*load_hosts.docker(host), "info"))
    if not engine.has_image:
        return Trouble(f"it has no {load_hosts.IMAGE}", "it was not built there yet", image_for(host))
    if engine.image_architecture != engine.architecture:
        what = f"its {load_hosts.IMAGE} is for {engine.image_architecture}, and the machine is {engine.architecture}"
        return Trouble(what, "it was loaded from a machine of another kind", image_for(host))
    return None


def image_for(host: Host) -> str:
    """The command that makes the image on a host."""
    variable = "DOCKER_HOST" if "://" in host.docker else "DOCKER_CONTEXT"
    return f"{variable}={to_paste(host.docker)} docker compose build {load_hosts.BUILDER}"


class _Conversation:
    """With the far side of a host: who it is, what time it is there, and what it reaches."""

    def __init__(self, host: Host, url: str) -> None:
        self._host = host
        self._url = url
        self._over = threading.Event()
        self._hello: Hello | None = None
        self._clock = NO_CLOCK
        self._pings = 0
        self._path: Path | None = None
        self._dialogue = Dialogue(load_hosts.far_side(host), self._hear)

    def seen(self, engine: EngineFacts) -> Seen:
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
        return Trouble("its container says nothing", cause, image_for(self._host))

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
