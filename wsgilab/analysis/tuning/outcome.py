"""All that a tuning came to, for reports and for tuning.json. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wsgilab.analysis.tuning import advice, landscape, search
from wsgilab.analysis.tuning.advice import Advice
from wsgilab.analysis.tuning.attempts import history_of
from wsgilab.analysis.tuning.contenders import Contender, contenders
from wsgilab.analysis.tuning.landscape import Point
from wsgilab.analysis.tuning.search import Found
from wsgilab.model.interval import Interval
from wsgilab.model.slo import Slo
from wsgilab.model.tuning import Attempt, Question, Setting
from wsgilab.model.window import Window

SCHEMA = 1


@dataclass(frozen=True)
class Tuning:
    """What was asked, what was tried, and what it says."""

    question: Question
    history: tuple[Attempt, ...]
    found: Found
    advice: Advice
    points: tuple[Point, ...]
    contenders: tuple[Contender, ...] = ()
    problem: str = ""
    """Why some saved windows were left out."""

    @property
    def setting(self) -> Setting | None:
        """What is recommended."""
        return self.found.decision.setting if self.found.decision else None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The whole advice."""
        return self.advice.sentences

    @property
    def measured(self) -> list[Point]:
        """The settings that were tried, the best first."""
        tried = [point for point in self.points if point.windows]
        return sorted(tried, key=lambda point: (-(point.reached_rps or 0.0), point.setting))

    def to_json(self) -> dict[str, Any]:
        """The whole evidence as plain JSON values."""
        decision = self.found.decision
        return {
            "schema": SCHEMA,
            "question": self.question.to_json(),
            "recommended": _setting(self.setting),
            "capacity_rps": _plain(decision.capacity if decision else None),
            "runner_up": _setting(decision.runner_up if decision else None),
            "difference": decision.difference.value if decision else None,
            "ratio": _plain(decision.ratio if decision else None),
            "finished": self.found.finished,
            "calibration": self.found.physics.to_json(),
            "advice": asdict(self.advice),
            "contenders": [contender.to_json() for contender in self.contenders],
            "landscape": [point.to_json() for point in self.points],
            "attempts": [attempt.to_json() for attempt in self.history],
            "problem": self.problem,
        }


def outcome(question: Question, windows: Sequence[Window], objective: Slo) -> Tuning:
    """What these windows say to a question."""
    history, problem = history_of(question, windows, objective)
    found = search.conclude(question, history)
    points = landscape.points(question, found.physics, history)
    return Tuning(
        question=question,
        history=tuple(history),
        found=found,
        advice=advice.advise(question, found, history, str(objective)),
        points=tuple(points),
        contenders=tuple(contenders(question, found.decision, points, history)),
        problem=problem,
    )


def _plain(figure: Interval | None) -> dict[str, Any] | None:
    return figure.to_json() if figure else None


def _setting(setting: Setting | None) -> dict[str, Any] | None:
    return {**asdict(setting), "name": setting.name} if setting else None
