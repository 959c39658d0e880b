"""Tunings of several families of servers side by side: which server is the best of all. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wsgilab.analysis import stats
from wsgilab.analysis.tuning import final, staircase
from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.analysis.tuning.phrases import in_words
from wsgilab.model import words
from wsgilab.model.interval import Interval


def sentences(tunings: Sequence[Tuning]) -> Iterator[str]:
    """The best first, then what each of the others comes to next to it; nothing where there are fewer than two."""
    found = ranked(tunings)
    if len(found) < 2:
        return
    yield f"Of all: {_named(found[0])}."
    for other in found[1:]:
        yield f"{_compared(found[0], other)} {_named(other)}."
    yield "They were measured one after the other, not in turns: a slow hour of the machine would be in such a ratio."


def ranked(tunings: Sequence[Tuning]) -> list[Tuning]:
    """Those that recommend a setting, the best first: by capacity, or by memory where a rate was given."""
    found = [tuning for tuning in tunings if tuning.setting]
    if any(tuning.question.rate_rps is not None for tuning in found):
        return sorted(found, key=_memory_mb)
    return sorted(found, key=lambda tuning: -_capacity_rps(tuning))


def ratio(one: Tuning, other: Tuning) -> Interval | None:
    """The capacity of what one recommends ÷ that of what the other does, over the turns of their walks."""
    return stats.unpaired_ratio(_turns(other), _turns(one))


def _compared(best: Tuning, other: Tuning) -> str:
    if best.question.rate_rps is not None:
        more = _memory_mb(other) - _memory_mb(best)
        return f"It uses {words.number(more)} MB less than"
    known = ratio(best, other)
    if known is None:
        return "Its capacity cannot be compared with that of"
    if known.low is not None and known.low > 1:
        return f"It does {words.full_ratio(known)} times as much as"
    return f"No difference is shown ({words.full_ratio(known)} times) to"


def _turns(tuning: Tuning) -> list[Interval]:
    return staircase.turns(final.walks_of(tuning.history).get(tuning.setting, ())) if tuning.setting else []


def _capacity_rps(tuning: Tuning) -> float:
    decision = tuning.found.decision
    return decision.capacity.value if decision and decision.capacity else 0.0


def _memory_mb(tuning: Tuning) -> float:
    own = [point for point in tuning.points if point.setting == tuning.setting]
    return max((point.memory_mb or 0.0 for point in own), default=0.0)


def _named(tuning: Tuning) -> str:
    return f"{tuning.setting.family} with {in_words(tuning.setting)}" if tuning.setting else ""
