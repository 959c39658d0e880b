"""What a search found for one server, and what holds it back: slots, or the CPU. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wsgilab.analysis import capacity
from wsgilab.analysis.capacity import Capacity, Goal, Outcome, Tried
from wsgilab.model import words
from wsgilab.model.cause import Kind
from wsgilab.model.outcomes import Limit, Rating
from wsgilab.model.slo import Slo
from wsgilab.model.verdict import ServerRow

NEAR = 0.8
"""From this share of a limit on, the limit explains the capacity: queues grow before it is reached."""
NEITHER_OF_BOTH = (Kind.ANSWER, Kind.DEATH, Kind.APP)


def capacity_row(row: ServerRow, history: Sequence[Tried], goal: Goal, objective: Slo, cores: int) -> ServerRow:
    """The row with its capacity, how the search ended, and why it is what it is. `cores`: CPUs of the servers."""
    found = capacity.conclude(goal, history)
    slots_rps, cpu_rps = row.slots_rps, _cpu_allows(row, found, cores)
    limited_by = None if _others(row, found) else _nearest_limit(found, slots_rps, cpu_rps)
    if limited_by is Limit.SLOTS and row.room.may_be_more:
        limited_by = None
    limits = _limits(row, slots_rps, cpu_rps, cores)
    return replace(
        row,
        capacity_rps=found.interval,
        slots_allow_rps=slots_rps,
        cpu_allows_rps=cpu_rps,
        limited_by=limited_by,
        rating=_rating(found, history, goal),
        why="; ".join([_said(found, history, goal, objective), *_others(row, found), *limits, *_in_words(limited_by)]),
    )


def _rating(found: Capacity, history: Sequence[Tried], goal: Goal) -> Rating:
    if found.kept_rps is None:
        missed = capacity.rates(history, Outcome.MISSED)
        return Rating.BAD if missed and min(missed) <= goal.lowest_rps else Rating.INCONCLUSIVE
    return Rating.GOOD if found.finished or found.ceiling else Rating.INCONCLUSIVE


def _said(found: Capacity, history: Sequence[Tried], goal: Goal, objective: Slo) -> str:
    tries = words.counted(len(history), "window")
    if found.kept_rps is None:
        missed = capacity.rates(history, Outcome.MISSED)
        if not missed:
            return f"no valid window in {tries}"
        return f"missed {objective} at every rate tried, the lowest {words.rps(min(missed))} ({tries})"
    kept = f"kept {objective} for {goal.fine_s:g} s at {words.rps(found.kept_rps)}"
    if found.ceiling:
        return f"{kept} at least: above that k6 could not be trusted, so this limit is k6's, not the server's ({tries})"
    if found.missed_rps is None:
        return f"{kept}, and no higher rate was decided in the time there was ({tries})"
    early = "" if found.finished else ", stopped before the gap was closed"
    return f"{kept}, missed it at {words.rps(found.missed_rps)}{early} ({tries})"


def _others(row: ServerRow, found: Capacity) -> list[str]:
    """What was seen where the objective was missed, where that is neither a matter of slots nor of the CPU."""
    missed = [load for load in row.loads if load.rating is Rating.BAD]
    load = row.at(found.missed_rps) if found.missed_rps else next(iter(missed), None)
    causes = load.causes if load else ()
    first = next((cause for cause in causes if cause.explains), None)
    return [first.sentence] if first and first.kind in NEITHER_OF_BOTH else []


def _cpu_allows(row: ServerRow, found: Capacity, cores: int) -> float | None:
    """CPUs ÷ CPU time per request, the latter as it was at the highest rate that was kept."""
    costs = [
        cost.value
        for load in row.loads
        if (cost := load["cpu_ms_per_request"]) and (found.kept_rps is None or load.rate_rps <= found.kept_rps)
    ]
    return cores * 1000 / costs[-1] if costs and costs[-1] else None


def _nearest_limit(found: Capacity, slots_rps: float | None, cpu_rps: float | None) -> Limit | None:
    limits = [(rps, name) for rps, name in ((slots_rps, Limit.SLOTS), (cpu_rps, Limit.CPU)) if rps is not None]
    if found.kept_rps is None or found.ceiling or not limits:
        return None
    nearest_rps, name = min(limits)
    return name if found.kept_rps >= NEAR * nearest_rps else Limit.NEITHER


def _limits(row: ServerRow, slots_rps: float | None, cpu_rps: float | None, cores: int) -> list[str]:
    said = []
    if slots_rps is not None:
        said.append(f"{row.room.in_words()} ÷ {words.duration(row.service_ms)} allow {slots_rps:.0f} rps")
    elif row.concurrency == "unbounded":
        said.append("no slot limit")
    if cpu_rps is not None:
        said.append(
            f"{words.counted(cores, 'CPU')} ÷ {words.number(cores * 1000 / cpu_rps)} ms allow {cpu_rps:.0f} rps"
        )
    return said


def _in_words(limited_by: Limit | None) -> list[str]:
    if limited_by is None:
        return []
    return ["neither explains it"] if limited_by == Limit.NEITHER else [f"limited by {limited_by}"]
