"""The search for the highest offered rate that keeps the SLO: which rate to try next, and what is known so far. Pure.

Two stages. Short windows double the rate until one misses, then halve the gap (on the logarithmic scale). Long
windows then decide: the search walks up or down in steps that double, and halves the last one. A rate is decided by
one window where it is far from the bound, else by two of three. Short windows only guide: a queue that grows by 5 %
of the time has hardly begun to grow in two seconds.

The next rate follows from the history alone, so saved windows give the same result again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from wsgilab.analysis import by_request
from wsgilab.analysis.figures import MEASURES
from wsgilab.analysis.objective import CLEAR_MARGIN
from wsgilab.model.interval import Interval
from wsgilab.model.slo import FIGURE_OF, Slo
from wsgilab.model.window import Window

WINDOW_OVERHEAD_S, LATE_OVERHEAD_S = 2.2, 1.5
"""What a window costs besides its own time (warm-up, k6's start), and what a late server adds (grace, restart)."""
RESTART_S, MOST_LATE_S = 1.0, 3.5
"""The part of the latter that comes after the window (or before the next one, for its own start), and all of it at the
worst."""
MOST_VOID = 2
"""Void windows in a row at one rate from which on k6, and not luck, is the limit there."""
FAR = CLEAR_MARGIN
"""A window this factor away from the bound decides alone."""


class Outcome(StrEnum):
    """What a window says about the SLO at its rate."""

    KEPT = "kept"
    MISSED = "missed"
    VOID = "void"


@dataclass(frozen=True)
class Goal:
    """How to search."""

    start_rps: float = 50.0
    lowest_rps: float = 1.0
    highest_rps: float = 20_000.0
    coarse_s: float = 2.0
    fine_s: float = 8.0
    coarse_step: float = 1.15
    fine_step: float = 1.04
    width: float = 1.02
    """The search ends when the rate that missed is at most this factor above the one that kept."""
    budget_s: float = 180.0

    @classmethod
    def from_json(cls, data: object) -> Goal:
        """A goal as a manifest keeps it; what it does not say is the default."""
        said = data if isinstance(data, Mapping) else {}
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: float(value) for name, value in said.items() if name in known})

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Probe:
    """A rate to try, and for how long."""

    rate_rps: float
    duration_s: float


@dataclass(frozen=True)
class Tried:
    """A probe that was made."""

    probe: Probe
    outcome: Outcome
    clear: bool = False
    """So far from the bound that one window decides."""
    took_s: float = 0.0
    """All that it took, the start of its server included; 0 where that is not known."""


@dataclass(frozen=True)
class Capacity:
    """What a search knows: the rates around the capacity, decided by long windows."""

    kept_rps: float | None
    missed_rps: float | None
    sure_rps: float | None
    """The highest rate that kept it, below every long window that missed, and not above `kept_rps`."""
    finished: bool
    ceiling: bool = False
    """k6 or the largest rate allowed ended the search, not the server."""

    @property
    def interval(self) -> Interval | None:
        """The highest rate that kept the SLO, between the highest that always did and the lowest that did not."""
        if self.kept_rps is None:
            return None
        return Interval(self.kept_rps, self.sure_rps, None if self.ceiling else self.missed_rps, censored=self.ceiling)


def tried(window: Window, objective: Slo) -> Tried:
    """What one window says about the SLO."""
    probe, took_s = Probe(window.plan.rate_rps, window.plan.duration_s), window.took_s + window.start_s
    if window.void is not None:
        return Tried(probe, Outcome.VOID, took_s=took_s)
    if window.died or window.load is None:
        return Tried(probe, Outcome.MISSED, clear=True, took_s=took_s)
    worst = max(_shares_of_bounds(window, objective))
    return Tried(probe, Outcome.KEPT if worst < 1 else Outcome.MISSED, worst >= FAR or worst <= 1 / FAR, took_s)


def next_probe(goal: Goal, history: Sequence[Tried]) -> Probe | None:
    """What to try next; None when the search has ended."""
    probe = _open_question(goal, history)
    if probe is None:
        return None
    fresh_s = RESTART_S if probe.duration_s >= goal.fine_s else 0.0
    at_most_s = fresh_s + probe.duration_s + WINDOW_OVERHEAD_S + MOST_LATE_S
    return probe if spent_s(history) + at_most_s <= goal.budget_s else None


def _open_question(goal: Goal, history: Sequence[Tried]) -> Probe | None:
    coarse = [attempt for attempt in history if attempt.probe.duration_s < goal.fine_s]
    rate = _next_coarse(goal, coarse)
    if rate is not None:
        return Probe(rate, goal.coarse_s)
    rate = _next_fine(goal, coarse, [attempt for attempt in history if attempt.probe.duration_s >= goal.fine_s])
    return None if rate is None else Probe(rate, goal.fine_s)


def conclude(goal: Goal, history: Sequence[Tried]) -> Capacity:
    """The capacity as far as the history shows it."""
    fine = [attempt for attempt in history if attempt.probe.duration_s >= goal.fine_s]
    kept, missed = _bracket(fine)
    wall = _ceiling(goal, history)
    finished = _open_question(goal, history) is None
    sure = _surely_kept(history, fine, kept)
    return Capacity(kept, missed, sure, finished, ceiling=missed is None and wall < math.inf)


def _surely_kept(history: Sequence[Tried], fine: Sequence[Tried], kept_rps: float | None) -> float | None:
    """The highest rate that kept it, below every long window that missed; no short window counts beyond `kept_rps`."""
    if kept_rps is None:
        return None
    missed = min(rates(fine, Outcome.MISSED), default=math.inf)
    keeping = rates(history, Outcome.KEPT)
    return max((rate for rate in keeping if rate < missed and rate <= kept_rps), default=None)


def spent_s(history: Sequence[Tried]) -> float:
    """How long these probes took, in seconds, with starting late servers anew; about, where that was not measured."""
    return sum(map(_spent_s, history))


def _spent_s(one: Tried) -> float:
    late = one.outcome == Outcome.MISSED
    if one.took_s:
        return one.took_s + (RESTART_S if late else 0.0)
    return one.probe.duration_s + WINDOW_OVERHEAD_S + (LATE_OVERHEAD_S if late else 0.0)


def by_server(windows: Sequence[Window], objective: Slo) -> dict[str, list[Tried]]:
    """The history of each server's search."""
    histories: dict[str, list[Tried]] = defaultdict(list)
    for window in windows:
        histories[window.plan.server].append(tried(window, objective))
    return histories


def _next_coarse(goal: Goal, coarse: Sequence[Tried]) -> float | None:
    """The next rate for a short window; None where they have told what they can."""
    wall = _ceiling(goal, coarse)
    if coarse and coarse[-1].outcome == Outcome.VOID and coarse[-1].probe.rate_rps < wall:
        return coarse[-1].probe.rate_rps
    missed = min([wall, *rates(coarse, Outcome.MISSED)])
    kept = max((rate for rate in rates(coarse, Outcome.KEPT) if rate < missed), default=None)
    if kept is None:
        if math.isinf(missed):
            return min(goal.start_rps, goal.highest_rps)
        return None if missed <= goal.lowest_rps else max(goal.lowest_rps, _round(missed / 4))
    if math.isinf(missed):
        return None if kept >= goal.highest_rps else min(goal.highest_rps, kept * 2)
    return None if missed / kept <= goal.coarse_step else _between(kept, missed)


def _next_fine(goal: Goal, coarse: Sequence[Tried], fine: Sequence[Tried]) -> float | None:
    """The next rate for a long window; None where the bracket is narrow enough, or nothing kept the SLO at all."""
    guess = max(rates(coarse, Outcome.KEPT), default=None)
    if guess is None:
        return None
    wall = _ceiling(goal, [*coarse, *fine])
    undecided = [rate for rate in rates(fine) if _decided(fine, rate) is None and rate < wall]
    if undecided:
        return undecided[-1]
    kept, missed = _bracket(fine)
    stride = goal.fine_step ** (2.0 ** (len(rates(fine)) - 1))  # 4 %, 8 %, 17 %: a guess may be far off
    if kept is None:
        down = _round(missed / stride if missed else guess / math.sqrt(goal.fine_step))
        return down if down >= goal.lowest_rps and down != missed else None
    if missed is None:
        up = min(_round(kept * stride), goal.highest_rps)
        return up if kept < up < wall else None
    middle = _between(kept, missed)
    return middle if missed / kept > goal.width and kept < middle < missed else None


def _bracket(fine: Sequence[Tried]) -> tuple[float | None, float | None]:
    """(highest rate decided as kept, lowest rate decided as missed), the first below the second."""
    decided = {rate: _decided(fine, rate) for rate in rates(fine)}
    missed = min((rate for rate, outcome in decided.items() if outcome == Outcome.MISSED), default=None)
    kept = [rate for rate, outcome in decided.items() if outcome == Outcome.KEPT and (missed is None or rate < missed)]
    return max(kept, default=None), missed


def _decided(fine: Sequence[Tried], rate: float) -> Outcome | None:
    """What the windows at a rate say together: one that is far from the bound, or two of three; None while open."""
    here = [attempt for attempt in fine if attempt.probe.rate_rps == rate and attempt.outcome != Outcome.VOID]
    if len(here) == 1 and here[0].clear:
        return here[0].outcome
    for outcome in (Outcome.KEPT, Outcome.MISSED):
        if sum(attempt.outcome == outcome for attempt in here) >= 2:
            return outcome
    return None


def rates(history: Sequence[Tried], outcome: Outcome | None = None) -> list[float]:
    """The rates that were tried, each once, in the order in which they were first; those with this outcome only."""
    return list(
        dict.fromkeys(attempt.probe.rate_rps for attempt in history if outcome is None or attempt.outcome == outcome)
    )


def _ceiling(goal: Goal, history: Sequence[Tried]) -> float:
    """The lowest rate at which windows came out void again and again; the largest rate allowed; or infinity."""
    runs: dict[float, int] = defaultdict(int)
    walls = [math.inf]
    for attempt in history:
        rate = attempt.probe.rate_rps
        runs[rate] = runs[rate] + 1 if attempt.outcome == Outcome.VOID else 0
        if runs[rate] >= MOST_VOID:
            walls.append(rate)
        if attempt.outcome == Outcome.KEPT and rate >= goal.highest_rps:
            walls.append(rate + 1)
    return min(walls)


def _shares_of_bounds(window: Window, objective: Slo) -> Iterator[float]:
    """One for each term, also of those that requests of one name have besides, where the window has such requests."""
    for metric, bound in objective.terms:
        yield _share_of_bound(window, metric, bound)
    for name, own in objective.by_request.items():
        if alone := by_request.only(window, name):
            yield from _shares_of_bounds(alone, own)


def _share_of_bound(window: Window, metric: str, bound: float) -> float:
    """What was measured ÷ its bound: below 1 keeps the term."""
    figure = MEASURES[FIGURE_OF[metric]](window)
    return math.inf if figure is None or figure.censored else figure.value / bound


def _between(low: float, high: float) -> float:
    return _round(math.sqrt(low * high))


def _round(rate: float) -> float:
    """Three significant figures: nobody asks for 171.4264 rps, and saved windows must give the same rates again."""
    return float(f"{rate:.3g}")
