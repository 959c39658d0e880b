"""Tunings of several families of servers side by side: which server is the best of all. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wsgilab.analysis import stats
from wsgilab.analysis.tuning import final, staircase
from wsgilab.analysis.tuning.final import Difference
from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.analysis.tuning.phrases import in_words, megabytes
from wsgilab.model import words
from wsgilab.model.interval import Interval

ONE_AFTER_THE_OTHER = (
    "They were measured one after the other, not in turns: a slow hour of the machine would be in such a ratio."
)
WITH_AND_WITHOUT = "Gunicorn was measured without a proxy, uWSGI behind nginx, whose CPU and memory count as its own."


@dataclass(frozen=True)
class Rank:
    """What one family's tuning recommends, next to the best of all."""

    tuning: Tuning
    capacity_rps: Interval | None
    """None where a rate was asked for, or it was not measured."""
    memory_mb: float | None
    ratio: Interval | None = None
    """The capacity of the best ÷ its own; None of the best itself, and where one of them is not known."""

    @property
    def family(self) -> str:
        """Which servers these are: `gunicorn`."""
        return family_of(self.tuning)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; tuning.json of the family has the rest."""
        return {
            "family": self.family,
            "recommended": self.tuning.setting.name if self.tuning.setting else None,
            "capacity_rps": self.capacity_rps and self.capacity_rps.to_json(),
            "memory_mb": self.memory_mb,
            "ratio": self.ratio and self.ratio.to_json(),
        }


def family_of(tuning: Tuning) -> str:
    """The family that was tuned."""
    return tuning.question.settings[0].family


def ranked(tunings: Sequence[Tuning]) -> list[Rank]:
    """The best first: by capacity, or by memory where a rate was given; those that recommend nothing last."""
    ranks = sorted((_rank(tuning) for tuning in tunings), key=_order)
    best = ranks[0].tuning if ranks else None
    return [
        Rank(one.tuning, one.capacity_rps, one.memory_mb, ratio(best, one.tuning) if best is not one.tuning else None)
        for one in ranks
        if best is not None
    ]


def sentences(tunings: Sequence[Tuning]) -> Iterator[str]:
    """The best first, then what each of the others comes to next to it; nothing where there are fewer than two."""
    found = [rank for rank in ranked(tunings) if rank.tuning.setting]
    if len(found) < 2:
        return
    yield f"Of all: {_named(found[0])}."
    for other in found[1:]:
        yield f"{_compared(found[0], other)} {_named(other)}."
    yield ONE_AFTER_THE_OTHER
    if {"gunicorn", "uwsgi"} <= {rank.family for rank in found}:
        yield WITH_AND_WITHOUT


def ratio(one: Tuning, other: Tuning) -> Interval | None:
    """The capacity of what one recommends ÷ that of what the other does, over the turns of their walks."""
    return stats.unpaired_ratio(_turns(other), _turns(one))


def _rank(tuning: Tuning) -> Rank:
    decision = tuning.found.decision
    own = [point.memory_mb for point in tuning.points if point.setting == tuning.setting]
    return Rank(tuning, decision.capacity if decision else None, own[0] if own else None)


def _order(rank: Rank) -> tuple[bool, float]:
    if rank.tuning.question.rate_rps is not None:
        return rank.tuning.setting is None, rank.memory_mb or 0.0
    return rank.tuning.setting is None, -(rank.capacity_rps.value if rank.capacity_rps else 0.0)


def _compared(best: Rank, other: Rank) -> str:
    if best.tuning.question.rate_rps is not None:
        if best.memory_mb is None or other.memory_mb is None:
            return "Its memory cannot be compared with that of"
        more = other.memory_mb - best.memory_mb
        return f"It uses {megabytes(more)} less than" if more >= 1 else "It uses as much memory as"
    if other.ratio is None:
        return "Its capacity cannot be compared with that of"
    above_one = other.ratio.low is not None and other.ratio.low > 1
    if above_one or final.by_bounds(best.capacity_rps, other.capacity_rps) is Difference.BETTER:
        return f"It does {words.full_ratio(other.ratio)} times as much as"
    return f"No difference is shown ({words.full_ratio(other.ratio)} times) to"


def _turns(tuning: Tuning) -> list[Interval]:
    return staircase.turns(final.walks_of(tuning.history).get(tuning.setting, ())) if tuning.setting else []


def _named(rank: Rank) -> str:
    return f"{rank.family} with {in_words(rank.tuning.setting)}" if rank.tuning.setting else rank.family
