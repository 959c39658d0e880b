"""What two servers that took turns tell of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from factories import RUN, plain_window, window

from wsgilab.analysis import turns
from wsgilab.analysis.gate import Question
from wsgilab.analysis.pipeline import analyse
from wsgilab.model.manifest import Manifest
from wsgilab.model.outcomes import Outcome
from wsgilab.model.server import ServerFacts
from wsgilab.model.window import Window
from wsgilab.reports import html, markdown

NEW, OLD = "gunicorn", "gunicorn-before"
CPU = "cpu_ms_per_request"
GATE = Question((NEW,), against="main", pairs={NEW: OLD})


def one(server: str, other: str, round: int, cpu_ms: float, p50_ms: float = 24.0, turn: bool = True) -> Window:
    found = plain_window([p50_ms] * 600, server=server, round=round, turns_with=other if turn else "")
    usage = window("gunicorn").usage
    assert usage
    return replace(found, usage=replace(usage, cpu_ms_per_request=cpu_ms))


def taken(new_ms: Sequence[float], old_ms: Sequence[float], **changes: float) -> list[Window]:
    """A round for each."""
    return [
        side
        for number, (new, old) in enumerate(zip(new_ms, old_ms, strict=True), 1)
        for side in (one(NEW, OLD, number, new, **changes), one(OLD, NEW, number, old))
    ]


def alone(new_ms: Sequence[float], old_ms: Sequence[float], **changes: float) -> list[Window]:
    return [replace(side, plan=replace(side.plan, turns_with="")) for side in taken(new_ms, old_ms, **changes)]


MOODY = [1.0, 1.4, 0.8, 1.2]
"""What the machine makes of it, round after round."""


def test_the_ratio_is_paired_by_round_whatever_the_machine_does() -> None:
    rows = {(row.server, row.metric): row for row in turns.rows(taken([ms * 1.1 for ms in MOODY], MOODY), [NEW, OLD])}
    assert set(rows) == {(NEW, metric) for metric in ("p50_ms", CPU)}
    row = rows[NEW, CPU]
    assert (row.against, row.rate_rps, row.windows) == (OLD, 100.0, 4)
    assert row.ratio
    assert (row.ratio.value, row.ratio.low, row.ratio.high) == pytest.approx((1.1, 1.1, 1.1))
    assert row.now
    assert row.was
    assert row.now.value / row.was.value == pytest.approx(1.1)
    (other, _) = turns.rows(taken(MOODY, [ms * 1.1 for ms in MOODY]), [OLD, NEW])
    assert (other.server, other.against) == (OLD, NEW)


@pytest.mark.parametrize("spoilt", ["void", "died", "dropped", "missing"])
def test_a_pair_counts_only_where_both_can_be_trusted(spoilt: str) -> None:
    windows = taken(MOODY, MOODY)
    first = windows[0]
    assert first.load
    windows[0:1] = {
        "void": [replace(first, void="k6 was short of CPU")],
        "died": [replace(first, died="the server was gone")],
        "dropped": [replace(first, load=replace(first.load, dropped=1))],
        "missing": [],
    }[spoilt]
    assert {row.windows for row in turns.rows(windows, [NEW, OLD])} == {3}


def test_they_count_nowhere_else() -> None:
    servers = [ServerFacts(name, name, "4", 4, None) for name in (NEW, OLD)]
    facts = replace(RUN, servers=servers, command="gate", rounds=4)
    without = analyse(alone(MOODY, MOODY), facts)
    found = analyse([*alone(MOODY, MOODY), *taken(MOODY, MOODY, p50_ms=9000.0)], facts)
    assert (found.servers, found.comparisons, found.problems) == (
        without.servers,
        without.comparisons,
        without.problems,
    )
    assert [row.turns_with for row in found.windows] == [""] * 8 + [OLD, NEW] * 4
    assert without.turns == ()


SPREAD = [1.0, 1.25, 0.8, 1.1]
"""Of windows of their own: too much for a tolerance of 5 %."""


@pytest.mark.parametrize(
    ("more", "turns_p50_ms", "outcome"),
    [(1.0, 24.0, Outcome.PASSED), (1.1, 24.0, Outcome.WORSE), (1.0, 27.0, Outcome.WORSE)],
)
def test_a_gate_is_settled_by_turns(more: float, turns_p50_ms: float, outcome: Outcome) -> None:
    servers = [ServerFacts(name, name, "4", 4, None) for name in (NEW, OLD)]
    facts = replace(RUN, servers=servers, command="gate", rounds=4)
    noisy = alone(MOODY, [mood * luck for mood, luck in zip(MOODY, SPREAD, strict=True)])
    assert GATE.answer(analyse(noisy, facts)).outcome is Outcome.NOISY
    steady = taken([mood * more for mood in MOODY], MOODY, p50_ms=turns_p50_ms)
    found = GATE.answer(analyse([*noisy, *steady], facts))
    assert found.outcome is outcome
    said = {check.about: check.sentence for check in found.checks}
    assert ", taking turns: " in said[CPU]
    assert ", taking turns: " not in said["p99_ms"]


def test_what_surely_got_worse_in_windows_of_its_own_is_worse() -> None:
    """A queue that has no time to build up within a turn."""
    servers = [ServerFacts(name, name, "4", 4, None) for name in (NEW, OLD)]
    facts = replace(RUN, servers=servers, command="gate", rounds=4)
    found = GATE.answer(analyse([*alone(MOODY, MOODY, p50_ms=240.0), *taken(MOODY, MOODY)], facts))
    (check,) = found.of(Outcome.WORSE)[:1]
    assert check.about == "p50_ms"
    assert "taking turns" not in check.sentence


def test_every_report_has_a_row_for_each_figure() -> None:
    servers = [ServerFacts(name, name, "4", 4, None) for name in (NEW, OLD)]
    facts = replace(RUN, servers=servers, command="gate", rounds=4)
    found = analyse([*alone(MOODY, MOODY), *taken([ms * 1.1 for ms in MOODY], MOODY)], facts)
    row = f"| {NEW} against {OLD} | 100 rps | CPU per request | 1.18 ms | 1.08 ms | +10 % (+10 to +10) | 4 |"
    assert row in markdown.render(found, Manifest())
    page = html.render(found, Manifest())
    assert "<td>+10 % (+10 to +10)</td>" in page
    assert "there is no answer" not in page
    assert "The lesson's claims" not in page
