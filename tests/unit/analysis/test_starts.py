"""Windows of one start repeat its luck: what belongs to the start is counted by starts, and twins stay twins."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from factories import RUN, plain_window, samples

from wsgilab.analysis import starts, stats
from wsgilab.analysis.comparison import compare
from wsgilab.analysis.pipeline import analyse
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Difference, Shift
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window

USUAL = plain_window([24.0] * 600)
READING = samples(2.2, 2.2)[0]


def measured(server: str, started_at: float, memory_mb: float, round: int) -> Window:
    assert USUAL.usage
    spent = replace(USUAL.usage, memory_mb=memory_mb, samples=(replace(READING, start_time=started_at),))
    return replace(USUAL, plan=replace(USUAL.plan, server=server, round=round, order=round), usage=spent)


def of_starts(server: str, *starts_mb: Sequence[float]) -> list[Window]:
    """Windows with this much memory, start by start."""
    rounds = iter(range(1, 1000))
    return [
        measured(server, 900.0 + number, memory_mb, next(rounds))
        for number, windows_mb in enumerate(starts_mb)
        for memory_mb in windows_mb
    ]


def verdict(*windows: Window) -> Verdict:
    return analyse(windows, replace(RUN, rounds=max(window.plan.round for window in windows), rates_rps=(100.0,)))


def test_memory_of_one_start_has_no_interval_however_many_windows_it_has() -> None:
    (row,) = [row for row in verdict(*of_starts("gunicorn", [100.0, 101.0, 102.0])).servers if row.loads]
    memory, p50 = (row.loads[0][key] for key in ("memory_mb", "p50_ms"))
    assert (row.loads[0].windows, row.loads[0].starts) == (3, 1)
    assert memory == Interval(pytest.approx(101.0, abs=0.01))  # type: ignore[arg-type]
    assert p50 is not None
    assert p50.low is not None, "what varies from window to window keeps its interval"


def test_windows_of_one_start_are_one_value() -> None:
    crowded = starts.means([(window, Interval(1.0)) for window in of_starts("dev", [1.0] * 9, [1.0])])
    assert crowded == [Interval(1.0)] * 2
    (row,) = [row for row in verdict(*of_starts("dev", [90.0, 90.0, 90.0], [100.0], [110.0])).servers if row.loads]
    assert row.loads[0]["memory_mb"] == stats.typical([Interval(90.0), Interval(100.0), Interval(110.0)])


def test_servers_are_compared_by_their_starts() -> None:
    def memory(*windows: Window) -> Difference:
        (found,) = [pair for pair in verdict(*windows).comparisons if pair.metric == "memory_mb"]
        return found.result

    once = [*of_starts("gunicorn", [100.0, 100.1, 100.2]), *of_starts("dev", [100.6, 100.7, 100.8])]
    assert memory(*once) == Difference.NOT_SHOWN, "each was started once"
    anew = [*of_starts("gunicorn", [100.0], [100.1], [100.2]), *of_starts("dev", [100.6], [100.7], [100.8])]
    assert memory(*anew) == Difference.B_LOWER, "dev is a: it stands first"


def test_runs_are_compared_by_their_starts() -> None:
    def shift(before: list[Window], after: list[Window]) -> Shift:
        (change,) = [change for change in compare(before, after) if change.metric == "memory_mb"]
        return change.result

    assert shift(of_starts("dev", [100.0, 100.1]), of_starts("dev", [101.0, 101.1])) == Shift.NOT_SHOWN
    assert shift(of_starts("dev", [100.0], [100.1]), of_starts("dev", [101.0], [101.1])) == Shift.HIGHER


def test_a_start_that_nobody_read_is_not_taken_for_another_windows() -> None:
    windows = [plain_window([24.0], round=number, order=number) for number in (1, 2, 3)]
    assert starts.count(windows) == 3


# ── are twins told apart? ───────────────────────────────────────────────────────────────────────────────────────────
#
# The memory of a start scatters by 0.2 %, that of a window within its start by a fiftieth of this.

RUNS = 2000
OF_A_START, OF_A_WINDOW = 2e-3, 4e-5


def twin(rng: random.Random, count: int, windows: int) -> list[Window]:
    found = [
        [rng.lognormvariate(0, OF_A_WINDOW) * luck for _ in range(windows)]
        for luck in (112.0 * rng.lognormvariate(0, OF_A_START) for _ in range(count))
    ]
    return of_starts("twin", *found)


def figures(windows: Sequence[Window]) -> list[tuple[Window, Interval]]:
    return [(window, Interval(window.usage.memory_mb or 0.0)) for window in windows if window.usage]


@pytest.mark.parametrize(("count", "windows"), [(3, 1), (10, 1), (2, 3), (5, 4)])
def test_memory_of_identical_twins_is_called_different_in_at_most_6_of_100_runs(count: int, windows: int) -> None:
    rng = random.Random(count)
    by_start = by_window = 0
    for _ in range(RUNS):
        a, b = (figures(twin(rng, count, windows)) for _ in "ab")
        by_start += stats.lower(stats.unpaired_ratio(starts.means(a), starts.means(b))) != Difference.NOT_SHOWN
        pairs = [(left, right) for (_, left), (_, right) in zip(a, b, strict=True)]
        by_window += stats.lower(stats.paired_ratio(pairs)) != Difference.NOT_SHOWN
    print(f"{count} starts of {windows} windows: {by_start / RUNS:.1%} by starts, {by_window / RUNS:.1%} by windows")
    assert by_start / RUNS <= 0.06
    if windows > 1:
        assert by_window / RUNS > 0.2, "or this test tests nothing"
