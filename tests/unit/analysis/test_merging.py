"""What several generators saw is put together as if one had seen it: to the last digit."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from wsgilab.analysis import merging
from wsgilab.analysis.merging import Part, Quantiles, RequestLine, Times, merged, request_lines
from wsgilab.model.window import GeneratorShare, LoadResult, RequestResult

RUNGS = [*(f"{p}" for p in range(90)), *(f"{p / 2:g}" for p in range(180, 198)), "99", "99.5", "99.95", "99.99", "100"]
RECORDED = Path(__file__).parent / "recorded"


def of_one_k6(values: list[float], percent: str) -> float:
    """TrendSink.P of k6, written down line by line."""
    values = sorted(values)
    if len(values) == 1:
        return values[0]
    i = float(percent) / 100 * (float(len(values)) - 1.0)
    j, k = values[math.floor(i)], values[math.ceil(i)]
    f = i - math.floor(i)
    return j + (k - j) * f


def result(**changes: object) -> LoadResult:
    whole = LoadResult(
        scheduled=100,
        sent=100,
        dropped=0,
        ok=0,
        ok_in_time=0,
        failed=0,
        unanswered=0,
        wrong_server=0,
        statuses={},
        ladder_ms={},
        total_requests=100,
        total_sent=100,
        started_at=0.0,
        wall_s=5.0,
        k6_cpu_s=0.5,
        lag_ms=1.0,
        vus_max=10,
        reused=0,
        total_ok=100,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def part(number: int, own: LoadResult, in_all: int = 300) -> Part:
    name = f"generator {number} of 3 on this machine"
    share = GeneratorShare(name, "", 1, own.scheduled, own.sent, 0, 100.0, own.wall_s, own.k6_cpu_s, own.k6_wait_s, 1.0)
    return Part(share, own, in_all)


@pytest.mark.parametrize("seed", range(20))
def test_a_merged_ladder_is_that_of_one_generator_to_the_last_digit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "CHUNK", 1 + seed * 7)  # so that chunks of every length meet
    dice = random.Random(seed)
    values = [dice.choice((dice.lognormvariate(3, 1), dice.random() * 1e-3, 24.0)) for _ in range(1 + seed * 37)]
    times = Times()
    for value in values:
        times.add(value, -1)
    together = merged([part(n, result(ladder_ms=dict.fromkeys(RUNGS, 0.0))) for n in (1, 2, 3)], times)
    assert together.ladder_ms == {rung: of_one_k6(values, rung) for rung in RUNGS}


def test_no_percentile_is_an_average() -> None:
    times = Times()
    for took_ms in [*range(1, 100), 1000]:
        times.add(float(took_ms), -1)
    fast, slow = result(ladder_ms={"100": 2.0}), result(ladder_ms={"100": 1000.0})
    assert merged([part(1, fast), part(2, slow)], times).ladder_ms == {"100": 1000.0}


def test_counts_are_sums_and_the_schedule_is_that_of_all() -> None:
    one = result(ok=90, failed=10, statuses={"200": 90, "503": 10}, expected={"302": 1}, started_at=7.5, lag_ms=3.0)
    two = result(ok=98, unanswered=2, statuses={"200": 98}, wall_s=6.0, k6_wait_s=0.25)
    together = merged([part(1, one), part(2, two), part(3, result(sent=99))], Times())
    assert (together.scheduled, together.sent, together.dropped) == (300, 299, 1)
    assert (together.ok, together.failed, together.unanswered) == (188, 10, 2)
    assert together.statuses == {"200": 188, "503": 10}
    assert together.expected == {"302": 1}
    assert (together.started_at, together.wall_s, together.lag_ms, together.k6_wait_s) == (7.5, 6.0, 3.0, 0.25)
    assert (together.total_sent, together.total_ok, together.vus_max, together.reused) == (300, 300, 30, 0)
    assert [share.name[:11] for share in together.generators] == ["generator 1", "generator 2", "generator 3"]


def test_requests_by_name_are_merged_like_all_of_them() -> None:
    named = {"look": RequestResult(30, 10, 10, {"50": 0.0}), "buy": RequestResult(6, 2, 1, {})}
    times = Times()
    for took_ms in (1.0, 2.0, 9.0):
        times.add(took_ms, 0)
    times.add(50.0, 1)
    together = merged([part(1, result(by_request=named)), part(2, result(by_request=named))], times)
    assert together.by_request["look"] == RequestResult(30, 20, 20, {"50": 2.0})
    assert (together.by_request["buy"].scheduled, together.by_request["buy"].sent) == (6, 4)


def test_one_generator_alone_has_no_shares() -> None:
    assert merged([part(1, result())], Times()).generators == ()


def test_without_one_good_answer_there_are_no_quantiles() -> None:
    assert Quantiles().ladder(RUNGS) == {}


START = 'time="2026-11-26T04:48:05Z" level=info msg='


@pytest.mark.parametrize(
    ("line", "tick"),
    [
        (START + "R/12/1700000000123/200/24.5312/ok/-1 source=console\n", 12),
        (START + '"R/13/1700000000123/0/1e-7/failed/2" source=console\n', 13),
        (START + "R/12/1700000000123/200/24.53", None),
        (START + "R/12/1700000000123/200/24.53/ok/1", None),
        (START + "R/12/1700000000123/200/NaN/ok/1 source=console\n", None),
        (START + r'"{\"text\":\"level=info msg=R/1/1/200/1/ok/-1 \"}" source=console' + "\n", None),
        ("GoError: no\n", None),
    ],
)
def test_lines_of_requests_are_told_from_others_and_from_those_that_were_cut_off(line: str, tick: int | None) -> None:
    assert [found.tick for found in request_lines([line])] == ([] if tick is None else [tick])


def test_a_line_is_read_to_the_last_digit() -> None:
    (found,) = request_lines([START + "R/7/1700000000123/200/24.531234567890123/ok/3 source=console\n"])
    assert found == RequestLine(7, 1_700_000_000_123, 200, 24.531234567890123, "ok", 3)


def test_the_ladder_of_recorded_requests_is_what_k6_itself_made_of_them() -> None:
    """One window of a real k6 with a line for each request, and the summary of that same k6."""
    summary = json.loads((RECORDED / "summary.json").read_text())
    times = Times()
    with (RECORDED / "console.log").open() as console:
        for line in request_lines(console):
            if line.outcome == "ok":
                times.add(line.took_ms, line.request)
    assert len(times.all) == summary["ok"] > 100
    assert times.all.ladder(summary["ladder_ms"]) == summary["ladder_ms"]
