"""Every setting with what physics allows it and what was measured of it: the landscape that a search walked through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wsgilab.analysis.tuning import final, staircase
from wsgilab.analysis.tuning.physics import Physics
from wsgilab.model.interval import Interval
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage


@dataclass(frozen=True)
class Point:
    """One setting."""

    setting: Setting
    predicted_rps: float | None
    """What slots and CPUs allow at most; None where its kind could not be measured."""
    limited_by: str
    predicted_mb: float | None
    capacity_rps: Interval | None = None
    """Of those in the final."""
    kept_rps: float | None = None
    """The highest rate that it kept in a window; at ease, in the calibration, says nothing of what it can do."""
    missed_rps: float | None = None
    """The lowest that it missed."""
    memory_mb: float | None = None
    """The most that was seen."""
    windows: int = 0
    died: str = ""

    @property
    def reached_rps(self) -> float | None:
        """Its capacity, or else the highest rate that it kept."""
        return self.capacity_rps.value if self.capacity_rps else self.kept_rps

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        interval = self.capacity_rps.to_json() if self.capacity_rps else None
        return {**asdict(self), "name": self.setting.name, "capacity_rps": interval}


def points(question: Question, physics: Physics, history: Sequence[Attempt]) -> list[Point]:
    """One point for each setting, in the order in which they were given; references that are none of them last."""
    settings = dict.fromkeys([*question.settings, *question.references.values()])
    walks = final.walks_of(history)
    return [_point(setting, physics, history, staircase.capacity(walks.get(setting, ()))) for setting in settings]


def _point(setting: Setting, physics: Physics, history: Sequence[Attempt], capacity: Interval | None) -> Point:
    bound = physics.bound(setting)
    own = [attempt for attempt in history if attempt.trial.setting == setting]
    kept = [one.trial for one in own if one.ending is Ending.KEPT and one.trial.stage is not Stage.CALIBRATION]
    return Point(
        setting=setting,
        predicted_rps=None if math.isinf(bound.rps) else bound.rps,
        limited_by=bound.limited_by,
        predicted_mb=bound.memory_mb,
        capacity_rps=capacity,
        kept_rps=max((trial.rate_rps for trial in kept), default=None),
        missed_rps=min((one.trial.rate_rps for one in own if one.ending is Ending.MISSED), default=None),
        memory_mb=max((one.memory_mb for one in own if one.memory_mb is not None), default=None),
        windows=len(own),
        died=next((one.died for one in own if one.ending is Ending.DIED), ""),
    )
