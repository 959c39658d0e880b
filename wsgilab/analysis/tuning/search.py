"""What to measure next, and what is known so far: the story of a tuning. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wsgilab.analysis.tuning import cheapest, final, physics, race
from wsgilab.analysis.tuning.final import Decision
from wsgilab.analysis.tuning.physics import Physics
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage, Trial

OF_THE_RACE = 0.6
"""The share of the budget after which the final begins, whatever is left of the race."""
OVERHEAD_S = 7.5
"""What a window takes besides its measured part at the worst: start, warm-up, late answers and the wait for them."""


@dataclass(frozen=True)
class Found:
    """What a tuning came to."""

    physics: Physics
    decision: Decision | None
    """None where no setting kept the SLO, or nothing was raced yet."""
    finished: bool
    """Whether the search ended by itself; else time ran out, or somebody stopped it."""


def next_trial(question: Question, history: Sequence[Attempt]) -> Trial | None:
    """The next window; None where the tuning has ended, or time has."""
    trials = list(possible_trials(question, history))
    late = spent_s(history) >= OF_THE_RACE * question.budget_s
    trial = next((one for one in trials if not (late and one.stage is Stage.RACE and len(trials) > 1)), None)
    if trial is None or spent_s(history) + trial.duration_s + OVERHEAD_S > question.budget_s:
        return None
    return trial


def possible_trials(question: Question, history: Sequence[Attempt]) -> Iterator[Trial]:
    """The windows that may come next: of the race, and of the final, for it is the budget that says when that begins.

    Without a budget, so that a tuning may go on with more of it.
    """
    calibration = _of(Stage.CALIBRATION, history)
    if trial := physics.next_calibration(question, calibration):
        yield trial
        return
    known = physics.learn(question, calibration)
    if question.rate_rps is not None:
        if trial := cheapest.next_check(question, known, history):
            yield trial
        return
    if not _of(Stage.FINAL, history) and (trial := race.run(question, known, history).next_trial):
        yield trial
    if trial := final.next_final(question, known, history):
        yield trial


def leader(question: Question, history: Sequence[Attempt]) -> Setting | None:
    """What would be recommended if it ended now; before anything kept the SLO in the race, what answered most there."""
    decision = conclude(question, history).decision
    if decision:
        return decision.setting
    raced = [attempt for attempt in _of(Stage.RACE, history) if attempt.ending is Ending.MISSED]
    best = max(raced, key=lambda attempt: attempt.goodput_rps, default=None)
    return best.trial.setting if best else None


def conclude(question: Question, history: Sequence[Attempt]) -> Found:
    """What these attempts say."""
    known = physics.learn(question, _of(Stage.CALIBRATION, history))
    finished = not any(possible_trials(question, history))
    if question.rate_rps is None:
        return Found(known, final.decide(question, known, history), finished)
    setting = cheapest.found(history, known)
    return Found(known, Decision(setting, None) if setting else None, finished)


def spent_s(history: Sequence[Attempt]) -> float:
    """Seconds that these attempts took."""
    return sum(attempt.took_s for attempt in history)


def deaths(history: Sequence[Attempt]) -> list[Attempt]:
    """Those in which the setting died, each setting once."""
    died = {attempt.trial.setting: attempt for attempt in reversed(history) if attempt.ending is Ending.DIED}
    return list(reversed(died.values()))


def _of(stage: Stage, history: Sequence[Attempt]) -> list[Attempt]:
    return [attempt for attempt in history if attempt.trial.stage is stage]
