"""What a runner and the process that works for it on another machine say to each other, in lines. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wsgilab.errors import LabError
from wsgilab.model.manifest import Facts
from wsgilab.model.window import WindowPlan

HELLO, PONG, REACHED, ANSWER, LISTENING, ARRIVED, USED, DONE, FAILED, OVER = (
    "hello", "pong", "reached", "answer", "listening", "arrived", "used", "done", "failed", "over",
)  # fmt: skip
"""What the far side says. Between `done` and `over` come the lines of its k6, as they are."""
PING, REACH, ASK, LISTEN, ORDER, GO, STILL_HERE = "ping", "reach", "ask", "listen", "order", "go", "still-here"
"""What the runner says."""
DOOR = 9000
"""The port on which it then listens, for load hosts to see whether the way to its machine is open."""


@dataclass(frozen=True)
class Hello:
    """The first line: who is there."""

    sources: str
    """A digest of the lab's own code, which has to be that of the runner."""
    k6: str
    """What it says it is."""
    cpus: int
    """How many the load may use."""
    machine: Facts = field(default_factory=dict)
    """What it runs on, as a manifest says it."""


@dataclass(frozen=True)
class Order:
    """One window for one of several k6."""

    plan: WindowPlan
    url: str
    """Where the server is, as that machine sees it."""
    run_id: str
    number: int
    """Which generator it is, from 1 on."""
    of: int
    host: str
    """What its machine is called."""
    way: str = ""
    """Where the runner takes connections on the servers' address: `ADDRESS:PORT`; empty where nobody has to look."""
    described: Mapping[str, Any] | None = None
    """The traffic of a lab.toml, with its rows and bodies."""
    keep_alive: bool = False
    patience_s: float = 2.0
    """As that of `Traffic`."""


@dataclass(frozen=True)
class Used:
    """What its k6 has used so far."""

    cpu_s: float
    wait_s: float


@dataclass(frozen=True)
class Path:
    """The way from a load host to the servers."""

    connect_ms: tuple[float, ...] = field(default=())
    """How long each connection took that was made, ascending."""
    trouble: str = ""
    """Why none was made; empty where some were."""

    @property
    def median_ms(self) -> float:
        """The one in the middle; of some that were made."""
        return statistics.median(self.connect_ms)


@dataclass(frozen=True)
class Question:
    """An address that is to be asked there, with GET."""

    number: int
    """Answers come in any order."""
    url: str
    timeout_s: float


@dataclass(frozen=True)
class Answer:
    """What came back."""

    number: int
    status: int = 0
    """Of HTTP; 0 where nobody answered."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that the lab looks at."""
    body: bytes = b""
    trouble: str = ""
    """Why nobody answered."""


@dataclass(frozen=True)
class Failed:
    """Why there is no result, as two of the three parts of an error."""

    what: str
    cause: str

    def error(self, next_command: str) -> LabError:
        """The same as an error."""
        return LabError(self.what, self.cause, next_command)


def line(kind: str, content: object = None) -> str:
    """What is said, as one line."""
    return f"{kind} {msgspec.json.encode(content).decode()}"


def split(said: str) -> tuple[str, str]:
    """(kind, content as JSON) of a line."""
    kind, _, content = said.partition(" ")
    return kind, content
