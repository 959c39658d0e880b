"""What is recommended next to what came second and what people would have set, with ratios of capacities. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wsgilab.analysis.tuning import final
from wsgilab.analysis.tuning.final import Decision
from wsgilab.analysis.tuning.landscape import Point
from wsgilab.model.interval import Interval
from wsgilab.model.tuning import Attempt, Question, Setting

RECOMMENDED, RUNNER_UP = "recommended", "runner-up"


@dataclass(frozen=True)
class Contender:
    """One setting that a reader wants to compare."""

    roles: tuple[str, ...]
    """`recommended`, `runner-up`, `today's default`, `2n + 1`: one setting may be several of them."""
    point: Point
    ratio: Interval | None = None
    """The capacity of what is recommended ÷ its own; None of itself, and where one of the two was not measured."""

    @property
    def is_recommended(self) -> bool:
        """Whether this is it."""
        return RECOMMENDED in self.roles

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; the landscape has the rest."""
        ratio = self.ratio.to_json() if self.ratio else None
        return {"roles": list(self.roles), "name": self.point.setting.name, "ratio": ratio}


def contenders(
    question: Question, decision: Decision | None, points: Sequence[Point], history: Sequence[Attempt]
) -> list[Contender]:
    """The recommended setting first; none where nothing is recommended."""
    if decision is None:
        return []
    known = {point.setting: point for point in points}
    walks = final.walks_of(history)
    return [
        Contender(
            roles=tuple(roles),
            point=known[setting],
            ratio=None if setting == decision.setting else final.ratio_of(decision.setting, setting, walks),
        )
        for setting, roles in _roles(question, decision).items()
        if setting in known
    ]


def _roles(question: Question, decision: Decision) -> dict[Setting, list[str]]:
    roles = {decision.setting: [RECOMMENDED]}
    if decision.runner_up:
        roles.setdefault(decision.runner_up, []).append(RUNNER_UP)
    for called, setting in question.references.items():
        roles.setdefault(setting, []).append(called)
    return roles
