"""Which settings may still be tried, by room and by what died; and which of two that do the same is cheaper. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wsgilab.analysis.tuning.physics import Physics
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage


def cost(physics: Physics, setting: Setting) -> tuple[float, int, int, Setting]:
    """What decides between two that do the same: memory, then processes, then threads."""
    return physics.bound(setting).memory_mb or 0.0, setting.workers, setting.slots, setting


def dead_kinds(history: Sequence[Attempt]) -> set[str]:
    """The kinds of worker of which the smallest died in the calibration: no other of them has to be tried.

    Running out of memory is another matter: that speaks against those that need as much.
    """
    begun = calibrations(history)
    died = {one.trial.setting.kind for one in begun if one.ending is Ending.DIED and not _starved(one)}
    return died - {one.trial.setting.kind for one in begun if one.ending is not Ending.DIED}


def open_yet(
    question: Question, physics: Physics, history: Sequence[Attempt], rate_rps: float = math.inf
) -> list[Setting]:
    """Those that have room in the memory at that rate, or at what they can do, and that no death speaks against."""
    dead = dead_kinds(history)
    starved = {attempt.trial.setting for attempt in history if _starved(attempt)}
    known = dict.fromkeys([*question.settings, *question.references.values()])
    return [
        setting
        for setting in known
        if setting.kind not in dead
        and physics.fits(setting, question.memory_mb, question.offered(rate_rps))
        and not any(_needs_as_much(physics, setting, other) for other in starved)
    ]


def _starved(attempt: Attempt) -> bool:
    return attempt.ending is Ending.DIED and "memory" in attempt.died


def _needs_as_much(physics: Physics, setting: Setting, other: Setting) -> bool:
    """Whether a setting needs at least the memory of another one, for all that is known, to do at least as much."""
    if setting.workers >= other.workers and setting.threads >= other.threads:
        return True
    one, two = physics.bound(setting), physics.bound(other)
    if one.memory_mb is None or two.memory_mb is None or math.isinf(two.rps):
        return False
    return one.memory_mb >= two.memory_mb and one.rps >= 0.95 * two.rps


def calibrations(history: Sequence[Attempt]) -> list[Attempt]:
    """The windows of the calibration."""
    return [attempt for attempt in history if attempt.trial.stage is Stage.CALIBRATION]
