"""The cheapest setting that keeps the SLO at an expected rate, with room: from the cheapest one on that could. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from wsgilab.analysis.tuning import race
from wsgilab.analysis.tuning.physics import Physics
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage, Trial

CONFIRMED = 3
"""Long windows out of four that must keep it."""
MOST_LONG = 4


def next_check(question: Question, physics: Physics, history: Sequence[Attempt]) -> Trial | None:
    """The next window; None where a setting is confirmed, or none is left. `question.rate_rps` is known."""
    rate = question.required_rps or 0.0
    for setting in possible(question, physics, history):
        own = _of(setting, history)
        if is_confirmed(own):
            return None
        if _is_out(own):
            continue
        is_new = not any(attempt.trial.stage is Stage.RACE and attempt.ending is not Ending.VOID for attempt in own)
        stage, duration_s = (Stage.RACE, question.short_s) if is_new else (Stage.FINAL, question.long_s)
        why = "the cheapest that could keep it" if is_new else "whether it really keeps it"
        return Trial(setting, rate, duration_s, stage, heat=1, round=len(own) + 1, why=why)
    return None


def found(question: Question, physics: Physics, history: Sequence[Attempt]) -> Setting | None:
    """The cheapest setting that is confirmed."""
    return next((one for one in possible(question, physics, history) if is_confirmed(_of(one, history))), None)


def possible(question: Question, physics: Physics, history: Sequence[Attempt]) -> list[Setting]:
    """Those that could keep the rate within the memory, for all that physics knows; the cheapest first."""
    rate, dead = question.required_rps or 0.0, race.dead_kinds(history)
    could = [
        setting
        for setting in question.settings
        if setting.kind not in dead and physics.allows(setting, rate) and physics.fits(setting, question.memory_mb)
    ]
    return sorted(could, key=lambda setting: race.cost(physics, setting))


def is_confirmed(own: Sequence[Attempt]) -> bool:
    """Whether long windows of a setting say that it keeps the rate."""
    return sum(attempt.ending is Ending.KEPT for attempt in own if attempt.trial.stage is Stage.FINAL) >= CONFIRMED


def _is_out(own: Sequence[Attempt]) -> bool:
    """Whether it missed: once clearly, or in a short window, or in two long ones; or died; or cannot be measured."""
    endings = [attempt.ending for attempt in own]
    short_missed = any(attempt.ending is Ending.MISSED for attempt in own if attempt.trial.stage is Stage.RACE)
    long_missed = endings.count(Ending.MISSED) > MOST_LONG - CONFIRMED
    return Ending.DIED in endings or short_missed or long_missed or endings.count(Ending.VOID) >= race.MOST_VOID


def _of(setting: Setting, history: Sequence[Attempt]) -> list[Attempt]:
    return [
        attempt
        for attempt in history
        if attempt.trial.setting == setting and attempt.trial.stage is not Stage.CALIBRATION
    ]
