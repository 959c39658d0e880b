"""The cheapest setting that keeps the SLO at an expected rate, with room: from the cheapest one on that could. Pure.

A setting whose windows are void is not skipped for a dearer one: it has its turn again when another one is known to do,
or none is left.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsgilab.analysis.tuning import candidates
from wsgilab.analysis.tuning.physics import Physics
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage, Trial

CONFIRMED = 3
"""Long windows out of four that must keep it."""
MOST_LONG = 4
VOID_IN_A_TURN, MOST_TURNS = 2, 3
"""Void windows after which it is the turn of the next setting; and how many turns each has."""
WALL = 8
"""Void windows from which on, where none counts, a rate above what k6 can usually offer cannot be offered here."""


def next_check(question: Question, physics: Physics, history: Sequence[Attempt]) -> Trial | None:
    """The next window; None where a setting is confirmed, or none is left. `question.rate_rps` is known."""
    if is_walled(question, history):
        return None
    waiting: list[tuple[int, Setting]] = []
    for setting in possible(question, physics, history):
        own = _of(setting, history)
        if is_confirmed(own):
            break
        if not _is_out(own) and (turn := _turn(own)) < MOST_TURNS:
            waiting.append((turn, setting))
    if not waiting:
        return None
    _, setting = min(waiting, key=lambda one: one[0])  # the cheapest of those that had the fewest turns
    return _check(question, setting, _of(setting, history))


def found(history: Sequence[Attempt], physics: Physics) -> Setting | None:
    """The cheapest setting that is confirmed."""
    tried = dict.fromkeys(attempt.trial.setting for attempt in history)
    confirmed = [setting for setting in tried if is_confirmed(_of(setting, history))]
    return min(confirmed, key=lambda setting: candidates.cost(physics, setting), default=None)


def unclear(question: Question, physics: Physics, history: Sequence[Attempt]) -> list[Setting]:
    """Those cheaper than the one that is confirmed of which nobody could say whether they keep the rate."""
    known = found(history, physics)
    tried = {attempt.trial.setting for attempt in history if attempt.trial.stage is not Stage.CALIBRATION}
    cheaper: list[Setting] = []
    for setting in possible(question, physics, history):
        if setting == known:
            break
        if setting in tried and not _is_out(_of(setting, history)):
            cheaper.append(setting)
    return cheaper


def is_walled(question: Question, history: Sequence[Attempt]) -> bool:
    """Whether the load generator cannot offer the rate: then nothing but void windows comes of it."""
    rate = question.required_rps or 0.0
    checks = [attempt.ending for attempt in history if attempt.trial.stage is not Stage.CALIBRATION]
    return rate > question.offered(rate) and len(checks) >= WALL and all(ending is Ending.VOID for ending in checks)


def possible(question: Question, physics: Physics, history: Sequence[Attempt]) -> list[Setting]:
    """Those that could keep the rate within the memory, for all that is known; the cheapest first."""
    rate = question.required_rps or 0.0
    open_yet = candidates.open_yet(question, physics, history, rate)
    could = [setting for setting in open_yet if physics.allows(setting, rate)]
    return sorted(could, key=lambda setting: candidates.cost(physics, setting))


def is_confirmed(own: Sequence[Attempt]) -> bool:
    """Whether long windows of a setting say that it keeps the rate."""
    return sum(attempt.ending is Ending.KEPT for attempt in own if attempt.trial.stage is Stage.FINAL) >= CONFIRMED


def _check(question: Question, setting: Setting, own: Sequence[Attempt]) -> Trial:
    """A short window first, then long ones."""
    is_new = not any(attempt.trial.stage is Stage.RACE and attempt.ending is not Ending.VOID for attempt in own)
    stage, duration_s = (Stage.RACE, question.short_s) if is_new else (Stage.FINAL, question.long_s)
    why = "the cheapest that could keep it" if is_new else "whether it really keeps it"
    if _turn(own):
        why = "once more, for its windows were void"
    rate = question.required_rps or 0.0
    return Trial(setting, rate, duration_s, stage, heat=1, round=len(own) + 1, why=why)


def _turn(own: Sequence[Attempt]) -> int:
    """How many turns a setting has had: each ends with void windows that no others make up for."""
    void = sum(attempt.ending is Ending.VOID for attempt in own)
    return max(0, 2 * void - len(own)) // VOID_IN_A_TURN


def _is_out(own: Sequence[Attempt]) -> bool:
    """Whether it missed: in a short window, or in two long ones; or died."""
    endings = [attempt.ending for attempt in own]
    short_missed = any(attempt.ending is Ending.MISSED for attempt in own if attempt.trial.stage is Stage.RACE)
    long_missed = endings.count(Ending.MISSED) > MOST_LONG - CONFIRMED
    return Ending.DIED in endings or short_missed or long_missed


def _of(setting: Setting, history: Sequence[Attempt]) -> list[Attempt]:
    return [
        attempt
        for attempt in history
        if attempt.trial.setting == setting and attempt.trial.stage is not Stage.CALIBRATION
    ]
