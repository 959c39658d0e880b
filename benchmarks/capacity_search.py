"""How well `./lab capacity` searches, against a queue whose capacity is known, next to MLRsearch (RFC 9971).

python benchmarks/capacity_search.py          (pip install MLRsearch first, to see both)

Each window of the queue serves 2 % more or less than the last, as windows of real servers do. `time` is what the
windows would take with the lab's own overheads, a late server's recovery included.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from wsgilab.analysis.capacity import Goal, Outcome, Probe, Tried, conclude, next_probe, spent_s

SEARCHES = 40
BOUND_S, SERVICE_S = 0.25, 0.022
Found = tuple[float, float, int]
"""(capacity found, seconds, windows)."""


def window(capacity_rps: float, probe: Probe, rng: random.Random) -> list[float]:
    """Response times in seconds, ascending."""
    served = capacity_rps * rng.lognormvariate(0, 0.02)
    waits, wait = [], 0.0
    for _ in range(int(probe.rate_rps * probe.duration_s)):
        wait = max(0.0, wait - 1 / probe.rate_rps) + (0.85 + 0.15 * rng.expovariate(1)) / served
        waits.append(wait + SERVICE_S)
    return sorted(waits)


def own(capacity_rps: float, seed: int) -> Found:
    """The lab's search."""
    rng, goal = random.Random(seed), Goal()
    history: list[Tried] = []
    while probe := next_probe(goal, history):
        answered = window(capacity_rps, probe, rng)
        p99_s = answered[int(len(answered) * 0.99) - 1]
        outcome = Outcome.KEPT if p99_s < BOUND_S else Outcome.MISSED
        history.append(Tried(probe, outcome, not BOUND_S / 2 < p99_s < BOUND_S * 2))
    return conclude(goal, history).kept_rps or 0.0, spent_s(history), len(history)


def mlrsearch(capacity_rps: float, seed: int) -> Found:
    """MLRsearch: a request slower than the bound is a loss, and 1 % may be lost."""
    import MLRsearch
    from MLRsearch.trial_measurement import AbstractMeasurer, MeasurementResult

    rng = random.Random(seed)
    history: list[Tried] = []

    class Measurer(AbstractMeasurer):  # type: ignore[misc]
        def measure(self, intended_duration: float, intended_load: float) -> object:
            probe = Probe(intended_load, intended_duration)
            answered = window(capacity_rps, probe, rng)
            late = sum(each > BOUND_S for each in answered)
            history.append(Tried(probe, Outcome.MISSED if late > 0.01 * len(answered) else Outcome.KEPT))
            return MeasurementResult(
                intended_duration,
                intended_load,
                offered_count=len(answered),
                loss_count=late,
                duration_with_overheads=spent_s(history[-1:]),
            )

    config = MLRsearch.Config()
    goal = MLRsearch.SearchGoal(
        loss_ratio=0.01,
        exceed_ratio=0.5,
        relative_width=0.03,
        initial_trial_duration=2.0,
        final_trial_duration=8.0,
        duration_sum=16.0,
        fail_fast=False,
    )
    config.goals, config.min_load, config.max_load = (goal,), 1.0, 4000.0
    config.search_duration_max, config.warmup_duration = 3600.0, 0
    results = MLRsearch.MultipleLossRatioSearch(config=config).search(measurer=Measurer(), debug=lambda _: None)
    (result,) = results.values()
    return float(result.conditional_throughput), spent_s(history), len(history)


def show(name: str, capacity_rps: float, search: Callable[[float, int], Found]) -> None:
    """One line: what a number of searches found, and what they cost."""
    found = [search(capacity_rps, seed) for seed in range(SEARCHES)]
    rates = [rate for rate, _, _ in found]
    apart = [max(a, b) / min(a, b) - 1 for a, b in zip(rates[::2], rates[1::2], strict=True)]
    times = [seconds for _, seconds, _ in found]
    print(
        f"{name:10} {capacity_rps:5.0f} rps: median {statistics.median(rates):6.1f}, "
        f"spread {statistics.stdev(rates) / statistics.mean(rates):.1%}, "
        f"{sum(each > 0.05 for each in apart):2}/{len(apart)} pairs over 5 % apart, "
        f"{statistics.mean(times):4.0f} s on average, {max(times):4.0f} s at most, "
        f"{statistics.mean(count for *_, count in found):.0f} windows"
    )


def main() -> None:
    """Both searches, for three capacities."""
    for capacity_rps in (45.0, 178.0, 300.0):
        show("own", capacity_rps, own)
        try:
            show("MLRsearch", capacity_rps, mlrsearch)
        except ImportError:
            print("MLRsearch is not installed: pip install MLRsearch")


if __name__ == "__main__":
    main()
