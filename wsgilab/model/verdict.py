"""What a verdict says, as typed rows: verdict.json and every report are written from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wsgilab.model.cause import Cause
from wsgilab.model.conditions import Conditions
from wsgilab.model.floor import Floor
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Difference, Finding, Limit, Rating
from wsgilab.model.request import SEARCHES
from wsgilab.model.request_row import RequestRow
from wsgilab.model.slots import Slots
from wsgilab.model.window_row import WindowRow

VERDICT_SCHEMA = 1
KEYS = {"rating": "verdict", "limited_by": "binds"}
"""What verdict.json calls a field where it has another name."""


@dataclass(frozen=True)
class LoadRow:
    """One server under one offered rate."""

    rate_rps: float
    windows: int
    """Valid ones."""
    void: int
    rating: Rating
    why: str
    figures: Mapping[str, Interval | None]
    """By the keys of the metrics."""
    starts: int = 0
    """How many starts of the server the valid windows belong to."""
    deaths: int = 0
    """Windows the server did not survive."""
    throttled_s: float = 0.0
    listen_overflows: float = 0.0
    oom_kills: float = 0.0
    refused_ratio: float = 0.0
    """Share of the scheduled requests that were answered, but not with 2xx."""
    reused_ratio: float | None = None
    """Share of the answers that came over a connection which an earlier request had opened; None: not known."""
    causes: tuple[Cause, ...] = ()
    """What the evidence shows, in the order in which it is looked at."""
    requests: tuple[RequestRow, ...] = ()
    """Of traffic whose requests have names: what came of each."""

    @property
    def cause(self) -> Cause | None:
        """The first that explains the result."""
        return next((cause for cause in self.causes if cause.explains), None)

    def __getitem__(self, figure: str) -> Interval | None:
        return self.figures[figure]

    def to_json(self) -> dict[str, Any]:
        """A load in verdict.json; its figures stand among the rest."""
        plain = {KEYS.get(name, name): value for name, value in asdict(self).items() if name != "figures"}
        figures = {name: interval and interval.to_json() for name, interval in self.figures.items()}
        return {
            **plain,
            "causes": [asdict(cause) for cause in self.causes],
            "requests": [row.to_json() for row in self.requests],
            **figures,
        }


@dataclass(frozen=True)
class ServerRow:
    """One server with everything measured of it."""

    server: str
    pattern: str
    concurrency: str
    slots: int | None
    """As compose.yaml declares them; None where nothing bounds them, or nothing is known."""
    via: str | None
    service_ms: Interval | None
    """Mean time inside the app at the lowest rate measured."""
    rating: Rating
    why: str
    loads: tuple[LoadRow, ...]
    capacity_rps: Interval | None = None
    """Highest offered rate that keeps the SLO, `low` to `high` the rates around it; censored: at least."""
    slots_allow_rps: float | None = None
    cpu_allows_rps: float | None = None
    limited_by: Limit | None = None
    """What holds the capacity back; None where none was searched or nothing is known."""
    variant_of: str | None = None
    slots_seen: int | None = None
    """Requests that it handled at once, where that is not what was declared."""
    slots_configured: int | None = None
    """Those that it says itself that it is set for, where that is not what was declared."""
    slots_full: bool = True
    """Whether those seen are all: others waited for a place."""

    @property
    def room(self) -> Slots:
        """How many requests it handles at once, and how that is known."""
        return Slots(self.slots, self.slots_seen, self.slots_configured, self.slots_full)

    @property
    def slots_used(self) -> int | None:
        """The slots that laws reckon with."""
        return self.room.count

    @property
    def slots_rps(self) -> float | None:
        """Slots ÷ mean time in the app: what the slots have room for; None where either is unknown."""
        if self.slots_used is None or self.service_ms is None or not self.service_ms.value:
            return None
        return self.slots_used / self.service_ms.value * 1000

    @property
    def at_once(self) -> str:
        """How many requests it handles at once, for a table: `8`, `4 × 2 declared, 2 seen`."""
        return self.room.at_once(self.concurrency)

    def at(self, rate_rps: float) -> LoadRow | None:
        """The load at this offered rate, where it was measured."""
        return next((load for load in self.loads if load.rate_rps == rate_rps), None)

    def to_json(self) -> dict[str, Any]:
        """A server in verdict.json."""
        plain = {name: getattr(self, name) for name in ("server", "pattern", "concurrency", "slots", "via")}
        return {
            **plain,
            "service_ms": self.service_ms and self.service_ms.to_json(),
            "verdict": self.rating,
            "why": self.why,
            "loads": [load.to_json() for load in self.loads],
            "capacity_rps": self.capacity_rps and self.capacity_rps.to_json(),
            "slots_allow_rps": self.slots_allow_rps,
            "cpu_allows_rps": self.cpu_allows_rps,
            "binds": self.limited_by or "",
            "variant_of": self.variant_of,
            "slots_seen": self.slots_seen,
            "slots_configured": self.slots_configured,
            "slots_full": self.slots_full,
        }


@dataclass(frozen=True)
class Comparison:
    """Two servers under the same offered rate, paired by round: the ratio a ÷ b."""

    a: str
    b: str
    rate_rps: float
    metric: str
    ratio: Interval | None
    """Censored: a bound, from below where `high` is None, from above where `low` is."""
    result: Difference

    def to_json(self) -> dict[str, Any]:
        """A comparison in verdict.json."""
        return {**asdict(self), "ratio": self.ratio and self.ratio.to_json()}


@dataclass(frozen=True)
class Turns:
    """One figure of two servers that took turns in the same windows, which is how small differences are told."""

    server: str
    against: str
    rate_rps: float
    metric: str
    now: Interval | None
    was: Interval | None
    """Of the server that it is held against."""
    ratio: Interval | None
    """server ÷ against, paired by window."""
    windows: int
    """In how many they took turns, and both can be trusted."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        intervals = {name: getattr(self, name) for name in ("now", "was", "ratio")}
        return {**asdict(self), **{name: interval and interval.to_json() for name, interval in intervals.items()}}


@dataclass(frozen=True)
class Claim:
    """A sentence of the lesson, held against what was measured."""

    id: str
    text: str
    result: Finding
    evidence: str
    needs: tuple[str, ...] = ()
    """Servers that are not in this run, and without which nothing can be said; left out where there are none."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        found: dict[str, Any] = {"id": self.id, "text": self.text, "result": self.result, "evidence": self.evidence}
        return {**found, "needs": list(self.needs)} if self.needs else found


@dataclass(frozen=True)
class VoidWindow:
    """A window that was measured and is not counted."""

    server: str
    rate_rps: float
    round: int
    reason: str


@dataclass(frozen=True)
class ServerLog:
    """The last lines that a server wrote, as of its last odd window."""

    server: str
    rate_rps: float
    round: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """Everything a report may say."""

    command: str
    engine: str
    workload: str
    rounds: int
    slo: str
    servers: tuple[ServerRow, ...]
    comparisons: tuple[Comparison, ...]
    claims: tuple[Claim, ...]
    void_windows: tuple[VoidWindow, ...]
    windows: tuple[WindowRow, ...] = ()
    """Every window, void ones too, in the order in which they were measured."""
    floor: tuple[Floor, ...] = ()
    """What generator, connection and machine take, at each rate where that is known."""
    floor_unknown: str = ""
    """Why it is not known; empty where it is, or nobody said."""
    paths_ms: Mapping[str, float] = field(default_factory=dict)
    """How long a connection from each load host to the servers' machine takes: the median. Empty for load from the
    machine that measures."""
    fresh_starts: int = 0
    """How often a server was started anew between rounds."""
    fresh_starts_s: float = 0.0
    """How long that took in all, in seconds."""
    logs: tuple[ServerLog, ...] = ()
    """Of servers with a window that was void, in which they or a worker died, or that they answered with other than
    2xx."""
    problems: tuple[str, ...] = ()
    """What a reader must know about the data: rounds that are missing, lines that could not be read."""
    answer: tuple[str, ...] = ()
    """What to use, then why, a sentence each."""
    conditions: Conditions = field(default_factory=Conditions)
    """What another run must share with this one for their figures to be compared."""
    turns: tuple[Turns, ...] = ()
    """Of servers that also took turns. Those windows count nowhere else."""
    schema: int = VERDICT_SCHEMA

    @property
    def rates_rps(self) -> tuple[float, ...]:
        """Every rate that some server was offered, ascending."""
        return tuple(sorted({load.rate_rps for row in self.servers for load in row.loads}))

    @property
    def is_search(self) -> bool:
        """Whether rates were searched for (`./lab capacity`, `./lab tune`) and not given."""
        return self.command in SEARCHES

    @property
    def answered(self) -> tuple[Claim, ...]:
        """The claims that this run was asked about: it has their servers."""
        return tuple(claim for claim in self.claims if not claim.needs)

    @property
    def has_intervals(self) -> bool:
        """Whether any figure has its 95 % interval; where each load has one window, none has."""
        figures = (figure for row in self.servers for load in row.loads for figure in load.figures.values())
        return any(figure and figure.low is not None and figure.high is not None for figure in figures)

    def to_json(self) -> dict[str, Any]:
        """verdict.json as plain JSON values."""
        return {
            "schema": self.schema,
            **{name: getattr(self, name) for name in ("command", "engine", "workload", "rounds", "slo")},
            "answer": list(self.answer),
            "servers": [row.to_json() for row in self.servers],
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "turns": [turns.to_json() for turns in self.turns],
            "claims": [claim.to_json() for claim in self.claims],
            "void_windows": [asdict(window) for window in self.void_windows],
            "windows": [window.to_json() for window in self.windows],
            "floor": [asdict(floor) for floor in self.floor],
            **{name: getattr(self, name) for name in ("floor_unknown", "fresh_starts", "fresh_starts_s")},
            "paths_ms": dict(self.paths_ms),
            "logs": [asdict(log) for log in self.logs],
            "problems": list(self.problems),
            "conditions": self.conditions.to_json(),
        }
