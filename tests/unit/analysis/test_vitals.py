"""From clicks to what a browser feels: percentiles, floors, failures, comparisons, claims and voids."""

from __future__ import annotations

import itertools
import json
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec
import pytest

from wsgilab.analysis.vital_validity import LATE_MS, MOST_FOREIGN, MUCH_FOREIGN, void_reason
from wsgilab.analysis.vitals import TIMEOUT_MS, VitalsFacts, analyse, block_percentile
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Difference, Finding
from wsgilab.model.vitals import (
    BLOCKING,
    CONTENT,
    FEEDBACK_FIRST,
    FULL_PAGE_LOAD,
    INP,
    LCP,
    TTFB,
    WIRINGS,
    Block,
    BlockPlan,
    Click,
    PageLoad,
)

NAMES = tuple(wiring.name for wiring in WIRINGS)
Times = Sequence[float | None]


def clicks(action: str, content: Times, inp: Times | None = None) -> list[Click]:
    navigated = action == FULL_PAGE_LOAD.name
    return [
        Click(action, felt, 1.0, shown, "element", interactions=1, navigated=navigated)
        for shown, felt in zip(content, inp or [8.0] * len(content), strict=True)
    ]


def block(server: str, round: int, made: Sequence[Click], rate: float = 0.0, ttfb: float = 30.0) -> Block:
    plan = BlockPlan(server, rate, round, 0, NAMES, clicks=len(made))
    return Block(plan, tuple(made), (PageLoad(ttfb, ttfb + 60, ttfb + 60),))


def felt(server: str, round: int, wait_ms: float, rate: float = 0.0, inp: Mapping[str, float] | None = None) -> Block:
    """A block of all four buttons where the server takes so long; INP of a button is the floor unless it is said."""
    made = []
    for name in NAMES:
        made += clicks(name, [wait_ms + 20 + jitter + round for jitter in (0, 2, 4)], [(inp or {}).get(name, 8.0)] * 3)
    return block(server, round, made, rate, ttfb=wait_ms + round)


def facts(*servers: str, rates: tuple[float, ...] = (0.0,), rounds: int = 4) -> VitalsFacts:
    return VitalsFacts("local", "mix", servers, rates, NAMES, rounds, clicks=5)


def test_a_percentile_interpolates_over_the_clicks_of_an_action() -> None:
    made = clicks("blocking", [40, 10, 20, 30]) + clicks("other", [900])
    found = block_percentile(block("a", 1, made), "blocking", CONTENT.key, 50)
    assert found
    assert found.value == 25


def test_what_is_below_the_floor_is_at_most_the_floor_and_never_zero() -> None:
    verdict = analyse([block("a", 1, clicks("blocking", [40, 40, 40], [None, 8.0, 16.0]))], facts("a"))
    row = verdict.row("a", 0, "blocking", INP.key)
    assert row
    assert row.at_most
    assert row.p75_ms
    assert row.p75_ms.value == 16
    assert row.rating == "good"


@pytest.mark.parametrize(
    ("ms", "rating"), [(200, "good"), (208, "needs improvement"), (500, "needs improvement"), (504, "poor")]
)
def test_inp_is_rated_by_the_limits_of_web_vitals(ms: float, rating: str) -> None:
    row = analyse([block("a", 1, clicks("blocking", [ms] * 3, [ms] * 3))], facts("a")).row("a", 0, "blocking", INP.key)
    assert row
    assert row.rating == rating


def test_a_click_whose_content_never_shows_is_slower_than_all_others() -> None:
    verdict = analyse([block("a", 1, clicks("blocking", [40, None, None, 50]))], facts("a"))
    row = verdict.row("a", 0, "blocking", CONTENT.key)
    assert row
    assert (row.count, row.failed) == (4, 2)
    assert row.p75_ms
    assert row.p75_ms.value == TIMEOUT_MS
    assert row.p75_ms.censored


def test_a_page_that_does_not_open_is_a_failed_click_and_no_interaction() -> None:
    missed = Click("blocking", None, None, None, "", interactions=0, made=False)
    found = block("a", 1, [*clicks("blocking", [40]), missed])
    verdict = analyse([found], facts("a"))
    content, inp = (verdict.row("a", 0, "blocking", vital.key) for vital in (CONTENT, INP))
    assert content
    assert inp
    assert (content.count, content.failed, inp.count) == (2, 1, 1)
    assert void_reason(found) is None


def test_a_page_that_does_not_come_is_slower_than_all_others() -> None:
    one = block("a", 1, clicks("blocking", [40]))
    verdict = analyse([replace(one, pages=(*one.pages, PageLoad(), PageLoad(31.0, None, None)))], facts("a"))
    ttfb, lcp = (verdict.row("a", 0, "", vital.key) for vital in (TTFB, LCP))
    assert ttfb
    assert lcp
    assert (ttfb.count, ttfb.failed, lcp.count, lcp.failed) == (3, 1, 2, 1), "one came, and told no LCP"
    assert lcp.p75_ms
    assert lcp.p75_ms.censored


def test_what_ends_after_the_timeout_is_told_as_what_never_ended() -> None:
    made = clicks("blocking", [TIMEOUT_MS + 5_000] * 2, [TIMEOUT_MS, TIMEOUT_MS + 5_000])
    verdict = analyse([block("a", 1, made)], facts("a"))
    for vital in (CONTENT, INP):
        row = verdict.row("a", 0, "blocking", vital.key)
        assert row
        assert row.p75_ms == Interval(TIMEOUT_MS, censored=True)
        assert row.failed == 2


def test_a_server_against_its_twin_shows_no_difference() -> None:
    blocks = [felt(name, number, wait_ms=40 + shift) for number in (1, 2, 3, 4) for name, shift in (("a", 0), ("b", 3))]
    verdict = analyse(blocks, facts("a", "b"))
    assert {found.result for found in verdict.comparisons} == {Difference.NOT_SHOWN}, "3 ms each time are too few"


NOISE_MS = {FULL_PAGE_LOAD.name: (16.0, 20.0), BLOCKING.name: (3.0, 2.0)}
"""Standard deviations as they were measured: of clicks within a block, and of blocks with nothing changed. Those of
other buttons lie in between."""


def noisy(rng: random.Random, **wait_ms: float) -> list[Block]:
    """Blocks of four rounds, with each server that takes so long; no noise is common to a round."""
    made = []
    for number, (server, wait) in itertools.product((1, 2, 3, 4), wait_ms.items()):
        own: list[Click] = []
        for name in NAMES:
            clicks_sd, blocks_sd = NOISE_MS.get(name, (6.0, 5.0))
            around = wait + 100 + rng.gauss(0, blocks_sd)
            own += clicks(name, [max(20.0, rng.gauss(around, clicks_sd)) for _ in range(5)])
        made.append(block(server, number, own, ttfb=wait + 20 + rng.gauss(0, 2.0)))
    return made


def share_shown(times: int, **wait_ms: float) -> float:
    """The share of comparisons of click to content and TTFB, in so many runs, that showed a difference."""
    rng, shown = random.Random(7), []
    for _ in range(times):
        found = analyse(noisy(rng, **wait_ms), facts(*wait_ms)).comparisons
        shown += [one.result is not Difference.NOT_SHOWN for one in found if one.vital in (CONTENT.key, TTFB.key)]
    return statistics.mean(shown)


def test_noise_alone_hardly_ever_shows_a_difference_and_a_tenth_of_a_second_nearly_always() -> None:
    assert share_shown(60, server=40.0, twin=40.0) < 0.01
    assert share_shown(60, server=40.0, slower=140.0) > 0.95


def test_a_slower_server_shows_where_the_content_waits_for_it() -> None:
    blocks = [felt(name, number, wait) for number in (1, 2, 3, 4) for name, wait in (("a", 40), ("b", 240))]
    shown = {
        (found.action, found.vital)
        for found in analyse(blocks, facts("a", "b")).comparisons
        if found.result is Difference.A_LOWER
    }
    assert {("", TTFB.key), *((name, CONTENT.key) for name in NAMES)} <= shown
    assert not any(vital == INP.key for _, vital in shown)


def results(blocks: Sequence[Block], *servers: str) -> list[Finding]:
    return [claim.result for claim in analyse(blocks, facts(*servers)).claims]


def test_inp_follows_the_server_where_the_page_blocks_and_only_there() -> None:
    blocks = [
        felt(name, number, wait, inp={BLOCKING.name: wait + 16})
        for number in (1, 2, 3, 4)
        for name, wait in (("a", 40), ("b", 240))
    ]
    assert results(blocks, "a", "b") == [Finding.HOLDS] * 3


def test_inp_that_follows_although_the_page_goes_on_refutes_that_it_does_not() -> None:
    blocks = [
        felt(name, number, wait, inp={BLOCKING.name: 16.0, FEEDBACK_FIRST.name: wait})
        for number in (1, 2, 3, 4)
        for name, wait in (("a", 40), ("b", 240))
    ]
    assert results(blocks, "a", "b") == [Finding.DOES_NOT_HOLD, Finding.DOES_NOT_HOLD, Finding.HOLDS]


def test_where_all_servers_are_alike_nothing_can_be_said_to_follow() -> None:
    blocks = [felt(name, number, 40) for number in (1, 2, 3, 4) for name in ("a", "b")]
    assert results(blocks, "a", "b") == [Finding.INCONCLUSIVE] * 3


def test_one_round_proves_nothing() -> None:
    blocks = [felt("a", 1, 40, inp={BLOCKING.name: 40}), felt("b", 1, 240, inp={BLOCKING.name: 240})]
    assert results(blocks, "a", "b") == [Finding.INCONCLUSIVE] * 3


def test_one_case_shows_nothing_that_could_follow() -> None:
    assert analyse([felt("a", number, 40) for number in (1, 2)], facts("a")).claims == ()


def test_other_buttons_than_the_labs_make_no_claims() -> None:
    assert analyse([block("a", 1, clicks("add to basket", [40]))], facts("a")).claims == ()


def test_void_blocks_are_named_and_not_counted() -> None:
    good, bad = felt("a", 1, 40), replace(felt("a", 2, 9_000), void="the page was hidden during 1 click")
    verdict = analyse([good, bad], facts("a"))
    assert [(void.round, void.reason) for void in verdict.void_blocks] == [(2, bad.void)]
    row = verdict.row("a", 0, "blocking", CONTENT.key)
    assert row
    assert row.count == 3


def test_a_block_is_void_where_the_browser_failed() -> None:
    good = felt("a", 1, 40)
    assert void_reason(good) is None
    hidden = (replace(good.clicks[0], hidden=True), *good.clicks[1:])
    lost = (replace(good.clicks[0], interactions=0), *good.clicks[1:])
    late = tuple(replace(click, delay_ms=LATE_MS + 1) for click in good.clicks)
    for broken, word in ((hidden, "hidden"), (lost, "0 interactions"), (late, "short of CPU"), ((), "nothing")):
        assert word in (void_reason(replace(good, clicks=broken)) or "")


def test_a_block_whose_browser_was_crowded_out_is_void_and_one_that_shared_its_cpus_is_a_caution() -> None:
    good = felt("a", 1, 40)
    assert void_reason(replace(good, foreign_cpu_share=MOST_FOREIGN)) is None
    crowded = void_reason(replace(good, foreign_cpu_share=0.73))
    assert crowded == "the browser was short of CPU: other programs had 73 % of its CPUs"
    shared = replace(good, foreign_cpu_share=MUCH_FOREIGN + 0.1)
    (caution,) = analyse([shared, felt("a", 2, 40)], facts("a")).problems
    assert caution.startswith("in 1 of 2 blocks other programs had a part of the browser's CPUs, up to")
    assert analyse([replace(good, foreign_cpu_share=MUCH_FOREIGN)], facts("a")).problems == ()


def test_a_server_that_answers_less_than_the_load_that_was_asked_for_is_told() -> None:
    blocks = [replace(felt("a", number, 40, rate=100), served_rps=served) for number, served in ((1, 42.0), (2, 44.0))]
    (caution,) = analyse(blocks, facts("a", rates=(0.0, 100.0))).problems
    assert caution.startswith("a answered 43 of 100 rps of background load")
    kept_up = [replace(block, served_rps=98.0) for block in blocks]
    assert analyse(kept_up, facts("a", rates=(0.0, 100.0))).problems == ()


def test_late_content_and_unreported_interactions_void_nothing() -> None:
    slow = block("a", 1, clicks("blocking", [None, 9_000], [None, None]))
    assert void_reason(slow) is None


def test_a_block_is_the_same_after_it_was_saved() -> None:
    found = felt("a", 1, 40, rate=100)
    assert msgspec.json.decode(json.dumps(found.to_json()).encode(), type=Block) == found


def test_no_figure_is_infinite() -> None:
    verdict = analyse([block("a", 1, clicks("blocking", [None, None]))], facts("a")).to_json()
    json.dumps(verdict, allow_nan=False)
    assert not any(math.isinf(row["p50_ms"]["value"]) for row in verdict["rows"] if row["p50_ms"])


def test_no_interval_of_inp_reaches_below_what_a_browser_tells() -> None:
    blocks = [block("a", number, clicks("blocking", [ms] * 3, [ms] * 3)) for number, ms in ((1, 16.0), (2, 90.0))]
    row = analyse(blocks, facts("a", rounds=2)).row("a", 0, "blocking", INP.key)
    assert row
    assert row.p75_ms
    assert row.p75_ms.low == 16
