"""The race: settings are offered the same rate round after round, and those that are shown to be worse leave. Pure.

Only the best capacity is asked for, so nobody searches for that of the others. The first rate is about as much as
physics allows the best of them: most answer too late then, and what each answers all the same shows about what it can
do. From there the rate falls until somebody keeps the SLO, and rises until all miss it; a setting that misses it where
another keeps it is worse than that one, whatever it can do. As each round is one rate, a slow moment of the machine
meets all of them alike. This is sequential halving (Karnin, Koren & Somekh, ICML 2013) in which the share that leaves
is what the rate leaves behind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from wsgilab.analysis.tuning import space
from wsgilab.analysis.tuning.candidates import calibrations, cost, open_yet
from wsgilab.analysis.tuning.physics import Physics
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage, Trial

FIELD = 12
"""Settings that begin a race: enough to lie about two steps from every other one."""
CONTENDER = 0.7
"""Of the best bound: what can do less at most is not measured."""
FIRST_RATE, FIRST_RATE_UNKNOWN_RPS = 1.0, 50.0
"""Of the best bound; and where nothing is known."""
MORE_THAN_REACHED = 2.0
"""As what the calibration reached, so much may another setting do at most, as a share of its bound."""
FAR_BEHIND = 0.88
"""Of the best goodput of a round that nobody kept: what did less leaves."""
NEARLY = 0.97
"""Of the rate: what answered less fell behind, whether that made its answers late or not yet."""
STEP, BELOW, LOWER = 1.2, 0.95, 0.8
"""The next rate: of one that somebody kept; of the best goodput, after one that all missed; of that rate itself, where
all was answered, but late."""
ABOVE = 1.06
"""Of what the leader can do: the rate at which others are tried, and for which they must have memory."""
BELOW_THE_WALL = 0.7
"""Of a rate that the load generator cannot offer: what is tried next."""
MOST_ROUNDS, MOST_HEATS = 8, 6
MOST_NEIGHBOURS, MOST_EXPLORERS = 5, 2
JUST_ENOUGH = 1.6
"""Of what the leader can do: settings that physics allows no more than this have no more slots than they need."""
MOST_LEFT, MOST_LEFT_OF_NEIGHBOURS = 5, 3
"""How many go on after a round: of settings that do the same, some that are unlike are enough."""
MOST_VOID, WALL = 2, 4
"""Void windows of one setting in one round, after which it is left out of that round; and of the first windows of a
round, after which nobody can be offered its rate."""


@dataclass(frozen=True)
class Standing:
    """Where a heat is."""

    alive: tuple[Setting, ...]
    rate_rps: float
    """What is offered in this round."""
    round: int = 1
    kept_rps: float | None = None
    """The highest rate that somebody kept."""
    missed_rps: float = math.inf
    """The lowest that all missed, or that could not be offered."""
    most_left: int = MOST_LEFT
    over: bool = False


@dataclass(frozen=True)
class Race:
    """What the heats so far come to."""

    standing: Standing
    """Of the last heat."""
    heat: int
    next_trial: Trial | None
    """None where the race is over."""


def run(question: Question, physics: Physics, history: Sequence[Attempt]) -> Race:
    """The race as far as it was run, and what comes next."""
    heat, standing = 1, Standing(*first_field(question, physics, history))
    while True:
        own = [attempt for attempt in history if attempt.trial.stage is Stage.RACE and attempt.trial.heat == heat]
        standing, missing = _replayed(standing, own, question.seed)
        if missing is not None:
            return Race(standing, heat, _trial(question, standing, missing, heat))
        earlier = [one for one in history if one.trial.heat <= heat and one.trial.stage is not Stage.FINAL]
        following = _next_heat(question, physics, earlier, heat)
        if following is None:
            return Race(standing, heat, None)
        heat, standing = heat + 1, following


def first_field(question: Question, physics: Physics, history: Sequence[Attempt]) -> tuple[tuple[Setting, ...], float]:
    """(settings that begin, the rate that they are offered first)."""
    possible = open_yet(question, physics, calibrations(history))
    references = [one for one in question.references.values() if one in possible]
    field, rate = _field(question, physics, possible)
    return tuple(dict.fromkeys([*field, *references])), rate


def _field(question: Question, physics: Physics, settings: Sequence[Setting]) -> tuple[list[Setting], float]:
    """(of these, some that are unlike each other and that physics allows most; the rate that it allows the best).

    What could do more than the load generator can offer could not be told from others that can.
    """
    bounds = {setting: physics.bound(setting).rps for setting in settings}
    best = max((question.offered(rps) for rps in bounds.values() if rps < math.inf), default=math.inf)
    contenders = [setting for setting in settings if bounds[setting] >= CONTENDER * best]
    cheapest_first = sorted(
        contenders, key=lambda setting: (-min(bounds[setting], 0.95 * best), cost(physics, setting))
    )
    share = min(FIRST_RATE, MORE_THAN_REACHED * physics.reached)
    return space.spread(cheapest_first, FIELD), _round(share * best) if best < math.inf else FIRST_RATE_UNKNOWN_RPS


def _next_heat(question: Question, physics: Physics, history: Sequence[Attempt], heat: int) -> Standing | None:
    """The field that comes after a heat; None where the race is over."""
    tried = {attempt.trial.setting for attempt in history if attempt.trial.stage is Stage.RACE}
    best = ranked(history, physics)
    if heat >= MOST_HEATS:
        return None
    if not best:
        fresh = [setting for setting in open_yet(question, physics, history) if setting not in tried]
        starving = any(attempt.ending is Ending.DIED for attempt in history)
        return Standing(*_as_tuple(_field(question, physics, fresh))) if fresh and starving else None
    rate = _round(ABOVE * _shown_rps([one for one in history if one.trial.setting == best[0]]))
    wall_rps = _wall_rps(history)
    if rate >= wall_rps:
        return None  # nobody could be seen to do more than the leader
    roomy = open_yet(question, physics, history, rate)
    able = [setting for setting in roomy if setting not in tried and physics.allows(setting, rate)]
    near = space.neighbours(best[0], able)
    if heat == 1:
        enough = [setting for setting in able if physics.bound(setting).rps <= JUST_ENOUGH * rate]
        explorers = [*space.spread(enough, MOST_EXPLORERS, tried), *space.spread(able, MOST_EXPLORERS, tried)]
        near = [*explorers, *near]
    chosen = tuple(dict.fromkeys(near))[:MOST_NEIGHBOURS]
    if not chosen:
        return None
    return Standing((best[0], *chosen), rate, missed_rps=wall_rps, most_left=MOST_LEFT_OF_NEIGHBOURS)


def _wall_rps(history: Sequence[Attempt]) -> float:
    """The lowest rate of a round that could not be offered to anybody."""
    rounds: dict[tuple[int, int], list[Attempt]] = {}
    for attempt in history:
        if attempt.trial.stage is Stage.RACE:
            rounds.setdefault((attempt.trial.heat, attempt.trial.round), []).append(attempt)
    return min((own[0].trial.rate_rps for own in rounds.values() if _is_walled(own)), default=math.inf)


def _is_walled(attempts: Sequence[Attempt]) -> bool:
    """Whether a round shows that nobody can be offered its rate."""
    return len(attempts) >= WALL and all(attempt.ending is Ending.VOID for attempt in attempts)


def _as_tuple(field: tuple[list[Setting], float]) -> tuple[tuple[Setting, ...], float]:
    return tuple(field[0]), field[1]


def ranked(history: Sequence[Attempt], physics: Physics) -> list[Setting]:
    """Every setting that kept some rate in the race, the best first; of those that do the same, the cheaper."""
    raced: dict[Setting, list[Attempt]] = {}
    for attempt in history:
        if attempt.trial.stage is Stage.RACE:
            raced.setdefault(attempt.trial.setting, []).append(attempt)
    died = {attempt.trial.setting for attempt in history if attempt.ending is Ending.DIED}
    shown = {setting: _shown_rps(own) for setting, own in raced.items() if setting not in died}
    return sorted(
        (setting for setting in shown if shown[setting]), key=lambda setting: (-shown[setting], cost(physics, setting))
    )


def shuffled(settings: Sequence[Setting], seed: int, turn: str) -> list[Setting]:
    """The same settings in an order that seed and turn decide, and nothing else."""
    return sorted(settings, key=lambda setting: crc32(f"{seed} {turn} {setting.name}".encode()))


def _shown_rps(own: Sequence[Attempt]) -> float:
    """About what a setting can do by its windows in the race: 0 where it kept no rate.

    At least what it kept, and at most what it missed; in between, what it answered where it was late.
    """
    raced = [attempt for attempt in own if attempt.trial.stage is Stage.RACE]
    kept = max((_reached(attempt) for attempt in raced if attempt.ending is Ending.KEPT), default=0.0)
    missed = [attempt for attempt in raced if attempt.ending is Ending.MISSED]
    if not missed or not kept:
        return kept
    lowest_rps = min(attempt.trial.rate_rps for attempt in missed)
    near = [attempt for attempt in missed if attempt.trial.rate_rps <= STEP * lowest_rps]
    answered = sum(attempt.goodput_rps for attempt in near) / len(near)
    return max(kept, min(answered, lowest_rps))


def _reached(attempt: Attempt) -> float:
    """What a setting that kept a rate has shown: less than that rate, where its queue grew without being late yet."""
    rate = attempt.trial.rate_rps
    return rate if attempt.goodput_rps >= NEARLY * rate else attempt.goodput_rps


def _replayed(standing: Standing, attempts: Sequence[Attempt], seed: int) -> tuple[Standing, Setting | None]:
    """(where a heat is after these attempts, the setting whose turn is missing in its round, or None: it is over)."""
    while not standing.over and standing.alive:
        now = [attempt for attempt in attempts if attempt.trial.round == standing.round]
        latest = {attempt.trial.setting: attempt for attempt in now}
        walled = _is_walled(now)
        missing = [setting for setting in standing.alive if setting not in latest or _to_repeat(setting, now)]
        if missing and not walled:
            order = shuffled(missing, seed, f"{standing.round}")
            return standing, min(order, key=lambda setting: setting in latest)  # void ones after all others
        standing = _below_the_wall(standing) if walled else _after(standing, latest)
    return standing, None


def _to_repeat(setting: Setting, attempts: Sequence[Attempt]) -> bool:
    endings = [attempt.ending for attempt in attempts if attempt.trial.setting == setting]
    return endings[-1] is Ending.VOID and endings.count(Ending.VOID) < MOST_VOID


def _below_the_wall(standing: Standing) -> Standing:
    """No window of this round could be trusted: the load generator is the limit there, so less is offered to all."""
    return _next_round(replace(standing, missed_rps=standing.rate_rps), BELOW_THE_WALL * standing.rate_rps)


def _after(standing: Standing, attempts: Mapping[Setting, Attempt]) -> Standing:
    """The standing after a whole round: who kept the rate goes on, or where nobody did, who answered most."""
    kept = [setting for setting in standing.alive if attempts[setting].ending is Ending.KEPT]
    if kept:
        going_on = tuple(space.spread(kept, standing.most_left))
        return _next_round(replace(standing, alive=going_on, kept_rps=standing.rate_rps), STEP * standing.rate_rps)
    late = {setting: attempts[setting] for setting in standing.alive if attempts[setting].ending is Ending.MISSED}
    most_rps = max((attempt.goodput_rps for attempt in late.values()), default=0.0)
    near = [setting for setting, attempt in late.items() if attempt.goodput_rps >= FAR_BEHIND * most_rps]
    best_first = sorted(near, key=lambda setting: -late[setting].goodput_rps)
    lower = replace(standing, alive=tuple(best_first[: standing.most_left]), missed_rps=standing.rate_rps)
    fell_behind = most_rps < NEARLY * standing.rate_rps
    return _next_round(lower, BELOW * most_rps if fell_behind else LOWER * standing.rate_rps)


def _next_round(standing: Standing, rate_rps: float) -> Standing:
    """The next rate; or the end, where somebody kept one and all missed another."""
    bracketed = standing.kept_rps is not None and standing.missed_rps < math.inf
    over = bracketed or not standing.alive or standing.round >= MOST_ROUNDS or rate_rps <= 0
    return replace(standing, rate_rps=_round(rate_rps), round=standing.round + 1, over=over)


def _trial(question: Question, standing: Standing, setting: Setting, heat: int) -> Trial:
    why = f"round {standing.round}: who keeps {standing.rate_rps:g} rps, of {len(standing.alive)}"
    if heat > 1:
        why = f"next to {standing.alive[0].name}, which kept {standing.rate_rps:g} rps"
    return Trial(setting, standing.rate_rps, question.short_s, Stage.RACE, heat, standing.round, why)


def _round(rate: float) -> float:
    return float(f"{rate:.3g}")
