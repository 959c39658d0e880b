"""The final: leader and runner-up with long windows until the better one is known, or that there is none. Pure.

What people would have set without a tuning walks along: today's default and 2n + 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from wsgilab.analysis import stats
from wsgilab.analysis.tuning import candidates, race, staircase
from wsgilab.analysis.tuning.physics import Physics
from wsgilab.model.interval import Interval
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage, Trial

NEARLY = 0.95
"""Of what a setting answered where it was late, or of what physics allows it: about where its walk begins."""
SAME = 0.03
"""Ratios of capacities within this of 1 make no difference to anybody."""
FEWEST_TURNS, MOST_TURNS, TURNS_OF_REFERENCES = 3, 9, 2
"""Three make an interval that may exclude 1; where nine settle nothing, the difference is too small to matter."""


class Difference(StrEnum):
    """What is known of a setting against the leader."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "same"
    OPEN = "open"


@dataclass(frozen=True)
class Decision:
    """What a tuning recommends, and what with."""

    setting: Setting
    capacity: Interval | None
    runner_up: Setting | None = None
    runner_up_capacity: Interval | None = None
    difference: Difference = Difference.OPEN
    """Of the runner-up against what is recommended."""
    ratio: Interval | None = None
    """The capacity of what is recommended ÷ that of the runner-up."""


def finalists(question: Question, physics: Physics, history: Sequence[Attempt]) -> list[Setting]:
    """Leader, runner-up, then what people would have set, as far as it lives."""
    best = race.ranked(history, physics)[:2]
    died = {attempt.trial.setting for attempt in history if attempt.ending is Ending.DIED}
    tried = {attempt.trial.setting for attempt in history if attempt.trial.stage is Stage.RACE}
    others = [setting for setting in question.references.values() if setting in tried - died]
    return list(dict.fromkeys([*best, *others])) if best else []


def next_final(question: Question, physics: Physics, history: Sequence[Attempt]) -> Trial | None:
    """The next long window; None where all is settled."""
    chosen = finalists(question, physics, history)
    walks = walks_of(history)
    open_yet = [setting for setting in chosen if _is_open(setting, chosen, walks)]
    if not open_yet:
        return None
    turn = min(len(walks.get(setting, ())) for setting in open_yet)
    waiting = [setting for setting in open_yet if len(walks.get(setting, ())) == turn]
    setting = race.shuffled(waiting, question.seed, f"final {turn}")[0]
    rate = staircase.next_rate(setting, walks.get(setting, ()), _start(setting, physics, history))
    role = ("leader", "runner-up")[chosen.index(setting)] if setting in chosen[:2] else "for comparison"
    return Trial(setting, rate, question.long_s, Stage.FINAL, round=turn + 1, why=f"{role}: its capacity")


def decide(question: Question, physics: Physics, history: Sequence[Attempt]) -> Decision | None:
    """The recommendation by what is known so far; None where no setting kept the SLO at any rate."""
    chosen, walks = finalists(question, physics, history), walks_of(history)
    if not chosen:
        return None
    reached = {setting: staircase.capacity(walks.get(setting, ())) for setting in chosen}
    leader = chosen[0]
    for other in chosen[1:]:
        if _is_preferred(other, leader, walks, physics):
            leader = other
    rivals = [setting for setting in chosen if setting != leader and reached[setting] is not None]
    rival = max(rivals, key=lambda setting: _value(reached[setting]), default=None)
    if rival is None:
        return Decision(leader, reached[leader])
    ratio = ratio_of(leader, rival, walks)
    return Decision(leader, reached[leader], rival, reached[rival], difference(rival, leader, walks), ratio)


def ratio_of(one: Setting, other: Setting, walks: Mapping[Setting, Sequence[Attempt]]) -> Interval | None:
    """The capacity of one ÷ that of the other, from the turns of their walks; None where one has none."""
    ours, theirs = staircase.turns(walks.get(one, ())), staircase.turns(walks.get(other, ()))
    return stats.unpaired_ratio(theirs, ours)


def difference(setting: Setting, leader: Setting, walks: Mapping[Setting, Sequence[Attempt]]) -> Difference:
    """What is known of a setting against the leader."""
    ratio = ratio_of(setting, leader, walks)
    if ratio is None or ratio.low is None or ratio.high is None:
        return by_bounds(*(staircase.capacity(walks.get(one, ())) for one in (setting, leader)))
    if ratio.low >= 1 - SAME and ratio.high <= 1 + SAME:
        return Difference.SAME
    if ratio.high < 1:
        return Difference.WORSE
    return Difference.BETTER if ratio.low > 1 else Difference.OPEN


def by_bounds(ours: Interval | None, theirs: Interval | None) -> Difference:
    """The same where one capacity is only known to be at least so much: the other may lie below that as a whole."""
    if ours is None or theirs is None or ours.censored == theirs.censored:
        return Difference.OPEN
    bound, other, known = (ours, theirs, Difference.BETTER) if ours.censored else (theirs, ours, Difference.WORSE)
    return known if other.high is not None and other.high < bound.value else Difference.OPEN


def walks_of(history: Sequence[Attempt]) -> dict[Setting, list[Attempt]]:
    """The windows of the final, by setting."""
    walks: dict[Setting, list[Attempt]] = {}
    for attempt in history:
        if attempt.trial.stage is Stage.FINAL:
            walks.setdefault(attempt.trial.setting, []).append(attempt)
    return walks


def _is_open(setting: Setting, chosen: Sequence[Setting], walks: Mapping[Setting, Sequence[Attempt]]) -> bool:
    """Whether another window of this one is wanted."""
    walk = walks.get(setting, ())
    if staircase.has_come_to_its_end(walk) or len(walk) >= 4 * MOST_TURNS:
        return False
    found = len(staircase.turns(walk))
    if setting not in chosen[:2]:
        return found < TURNS_OF_REFERENCES
    if found < FEWEST_TURNS:
        return True
    settled = len(chosen) < 2 or difference(chosen[1], chosen[0], walks) is not Difference.OPEN
    return not settled and found < MOST_TURNS


def _is_preferred(
    setting: Setting, leader: Setting, walks: Mapping[Setting, Sequence[Attempt]], physics: Physics
) -> bool:
    """Whether a setting is to be recommended instead of the leader."""
    known = difference(setting, leader, walks)
    if known is Difference.SAME:
        return candidates.cost(physics, setting) < candidates.cost(physics, leader)
    if known is Difference.OPEN:
        ours, theirs = (staircase.capacity(walks.get(one, ())) for one in (setting, leader))
        if ours is None or theirs is None:
            return False
        if ours.censored and theirs.censored:  # nothing that can be offered here tells them apart
            return candidates.cost(physics, setting) < candidates.cost(physics, leader)
        return ours.value > theirs.value * (1 + SAME)
    return known is Difference.BETTER


def _start(setting: Setting, physics: Physics, history: Sequence[Attempt]) -> float:
    """Where a walk begins: at the highest rate that was kept, or about what was answered, or what physics allows."""
    own = [attempt for attempt in history if attempt.trial.setting == setting and attempt.trial.stage is Stage.RACE]
    kept = max((attempt.trial.rate_rps for attempt in own if attempt.ending is Ending.KEPT), default=0.0)
    answered = max((attempt.goodput_rps for attempt in own if attempt.ending is not Ending.VOID), default=0.0)
    bound = physics.bound(setting).rps
    return max(kept, NEARLY * answered) or (NEARLY * bound if bound < math.inf else race.FIRST_RATE_UNKNOWN_RPS)


def _value(figure: Interval | None) -> float:
    return figure.value if figure else 0.0
