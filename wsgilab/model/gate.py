"""What a gate asked and what came of it: every report of `./lab gate` is written from this."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from wsgilab.model import words
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import METRICS
from wsgilab.model.outcomes import Outcome

GATE_SCHEMA = 1
OBJECTIVE = "slo"
"""What a check is about that asks whether the objective was kept."""


@dataclass(frozen=True)
class Check:
    """One question: does this server, at this rate, keep the objective; or did one figure get worse?"""

    server: str
    rate_rps: float
    about: str
    """OBJECTIVE, or the key of a metric."""
    outcome: Outcome
    sentence: str
    """What was measured, with its numbers, and how that is meant."""
    before: Interval | None = None
    after: Interval | None = None
    ratio: Interval | None = None
    """after ÷ before."""

    @property
    def place(self) -> str:
        """`gunicorn at 100 rps`."""
        return f"{self.server} at {words.rps(self.rate_rps)}"

    @property
    def name(self) -> str:
        """What it is about, in words: `SLO`, `CPU per request`."""
        return METRICS[self.about].label if self.about in METRICS else "SLO"

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        intervals = {name: getattr(self, name) for name in ("before", "after", "ratio")}
        return {**asdict(self), **{name: interval and interval.to_json() for name, interval in intervals.items()}}


@dataclass(frozen=True)
class Gate:
    """Every check of one gate, servers by rates."""

    slo: str
    checks: tuple[Check, ...]
    summary: str = ""
    """What came of it, in one sentence."""
    against: str | None = None
    """What the app is compared with: a revision, or the file of a baseline."""
    tolerance: float = 0.0
    """By which share a figure may get worse."""
    rounds_wanted: int | None = None
    """About how many rounds would have told what was too noisy to say; None where nothing was."""

    @property
    def outcome(self) -> Outcome:
        """What is worst of all. Where nothing was measured, nothing can be said."""
        found = {check.outcome for check in self.checks}
        return next((outcome for outcome in WORST_FIRST if outcome in found), Outcome.NOISY)

    @property
    def places(self) -> tuple[str, ...]:
        """Every server and rate that was asked about, in the order of the checks."""
        return tuple(dict.fromkeys(check.place for check in self.checks))

    def of(self, *outcomes: Outcome) -> tuple[Check, ...]:
        """The checks that ended so."""
        return tuple(check for check in self.checks if check.outcome in outcomes)

    def at(self, place: str) -> tuple[Check, ...]:
        """The checks of one server at one rate."""
        return tuple(check for check in self.checks if check.place == place)

    def to_json(self) -> dict[str, Any]:
        """gate.json as plain JSON values."""
        return {
            "schema": GATE_SCHEMA,
            "outcome": self.outcome,
            "summary": self.summary,
            "slo": self.slo,
            "against": self.against,
            "tolerance": self.tolerance,
            "rounds_wanted": self.rounds_wanted,
            "checks": [check.to_json() for check in self.checks],
        }


WORST_FIRST = (Outcome.MISSED, Outcome.WORSE, Outcome.NOISY, Outcome.PASSED)
FAILURES = (Outcome.MISSED, Outcome.WORSE)
"""What fails a gate."""
