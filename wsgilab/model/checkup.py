"""What a server answered before any load: each kind of request, asked a few times, and what a witness inside it saw."""

from __future__ import annotations

from dataclasses import dataclass

FORWARDED_FOR = "203.0.113.7"
"""The client that a proxy in front would name; an address for documentation (RFC 5737), so no app has it by itself."""
KEPT_CHARACTERS = 20_000
"""Of a body; what comes after that is compared by nobody."""


@dataclass(frozen=True)
class Question:
    """One kind of request."""

    name: str
    method: str
    path: str
    statuses: tuple[int, ...] = ()
    """The expected ones; none: any 2xx."""
    text: str | None = None
    """What the answer must hold."""
    drafted: bool = False
    """Whether the lab made it up from the app's routes; otherwise the user's lab.toml says it."""


@dataclass(frozen=True)
class Import:
    """How the app was loaded by the process that loaded it."""

    process: int
    took_s: float
    threads: tuple[str, ...] = ()
    """Threads that the app left running, by name."""
    threads_after_fork: tuple[str, ...] | None = None
    """Those that also ran in a fork of that process; None where nobody tried."""


@dataclass(frozen=True)
class Statement:
    """What the witness in a worker saw of one request. Times are those of the machine's monotonic clock."""

    worker: int
    began_at: float
    answered_at: float
    """When the app had its answer, or the first piece of it."""
    cpu_s: float
    threaded: bool
    """Whether the server says that it calls the app several times at once in one process (`wsgi.multithread`)."""
    processes: bool
    """Whether it says that there are several processes (`wsgi.multiprocess`)."""
    client: str
    """REMOTE_ADDR, as the server gave it to the app."""
    forwarded_for: str
    """X-Forwarded-For, as it arrived."""
    threads: tuple[str, ...]
    imported: Import
    memory_mb: float | None = None
    """Proportional memory (PSS) of the worker."""


@dataclass(frozen=True)
class Answer:
    """What came back for one request. Times as those of a Statement."""

    status: int | None
    """None: no whole answer."""
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case."""
    body: str = ""
    sent_at: float = 0.0
    first_at: float = 0.0
    """When the first byte of the body came."""
    last_at: float = 0.0
    early: bool = False
    """Whether it began to come while half of the request's body was still held back."""
    error: str = ""
    """What cut it off, in the system's words."""
    statement: Statement | None = None


@dataclass(frozen=True)
class Answers:
    """All that one server answered to one question."""

    question: Question
    plain: tuple[Answer, ...]
    """One after the other; the second at least a second after the first."""
    forwarded: Answer | None = None
    """With the headers that a proxy adds which ends TLS: X-Forwarded-For and X-Forwarded-Proto."""
    together: tuple[Answer, ...] = ()
    """At the same time, so many that two must meet in one worker."""
    unsettled: int = 0
    """So many of `plain`, from the first on, had other requests between them that may change what is answered."""


@dataclass(frozen=True)
class Checkup:
    """One server with the app."""

    server: str
    via: str | None
    slots: int | None
    command: str
    address: str
    """Host and port, as they stood in the Host header."""
    answers: tuple[Answers, ...] = ()
    start_s: float | None = None
    """From its start until it was healthy; None where it was started by somebody else, with others."""
    trouble: tuple[str, str, str] | None = None
    """Why it could not be asked: what happened, the likely cause, the next command."""
    memory_mb: float | None = None
    """Of all its processes."""
    memory_limit_mb: float | None = None
    """What a container of it may use."""

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What the witnesses in its workers saw of the plain requests."""
        return tuple(answer.statement for answers in self.answers for answer in answers.plain if answer.statement)
