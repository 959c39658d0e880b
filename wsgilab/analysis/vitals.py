"""From clicks to what a browser feels with each server: percentiles of blocks, intervals over rounds, comparisons.

The block is the unit of repetition, as the window is of a run (see `stats`): clicks of one block share its luck. A
figure is the geometric mean of the blocks' percentiles. Figures are rated at the 75th percentile, as Web Vitals are;
servers are compared by their medians, within rounds, which a single late click does not move.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from wsgilab.analysis import stats
from wsgilab.analysis.vital_claims import claims
from wsgilab.analysis.vital_validity import cautions
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Difference
from wsgilab.model.vitals import (
    CONTENT,
    CONTENT_TIMEOUT_S,
    FCP,
    INP,
    INP_FLOOR_MS,
    LCP,
    OF_A_CLICK,
    OF_A_PAGE,
    VITALS,
    Block,
    Click,
    VitalComparison,
    VitalRow,
    VitalsVerdict,
    VoidBlock,
)

TIMEOUT_MS = CONTENT_TIMEOUT_S * 1000
MEDIAN, RATED = 50, 75
RESOLUTION_MS, RESOLUTION_OF_A_PAGE_MS = 10.0, 40.0
"""Smaller differences of two servers are not shown, whatever their interval: with nothing changed, medians of quiet
runs an hour apart differed by so much; those of whole pages by more."""


@dataclass(frozen=True)
class VitalsFacts:
    """What a verdict needs to know of the run besides its blocks."""

    engine: str
    workload: str
    servers: tuple[str, ...]
    rates_rps: tuple[float, ...]
    actions: tuple[str, ...]
    rounds: int
    clicks: int


def analyse(blocks: Sequence[Block], facts: VitalsFacts, problems: Sequence[str] = ()) -> VitalsVerdict:
    """The verdict over all blocks; void ones are named, and not counted."""
    valid = [block for block in blocks if block.void is None and block.died is None]
    return VitalsVerdict(
        engine=facts.engine,
        workload=facts.workload,
        rounds=facts.rounds,
        clicks=facts.clicks,
        servers=facts.servers,
        rates_rps=facts.rates_rps,
        actions=facts.actions,
        rows=tuple(_rows(valid, facts)),
        comparisons=tuple(_comparisons(valid, facts)),
        claims=claims(valid, block_median_ms),
        void_blocks=tuple(_named(block, block.void) for block in blocks if block.void),
        deaths=tuple(_named(block, block.died) for block in blocks if block.died),
        problems=(*problems, *cautions(valid)),
    )


def block_median_ms(block: Block, action: str, vital: str) -> float | None:
    """The median of one block; the timeout where that was not reached, None where the block has no such figure."""
    found = block_percentile(block, action, vital, MEDIAN)
    return found.value if found else None


def block_percentile(block: Block, action: str, vital: str, percentile: float) -> Interval | None:
    """A percentile over the clicks of an action, or with no action over the page loads, of one block.

    What did not come to its end within the timeout is slower than all others; a percentile there is the timeout,
    censored. Interpolates as k6 does: (n - 1) p.
    """
    values = sorted(_values(block, action, vital))
    if not values:
        return None
    position = percentile / 100 * (len(values) - 1)
    below, above = values[math.floor(position)], values[math.ceil(position)]
    if math.isinf(above):
        return Interval(TIMEOUT_MS, censored=True)
    return Interval(below + (above - below) * (position - math.floor(position)))


def _values(block: Block, action: str, vital: str) -> Iterator[float]:
    if not action:
        yield from _page_values(block, vital)
        return
    for click in _clicks(block, action):
        if vital == CONTENT.key:
            yield _within_timeout(click.content_ms)
        elif click.made:
            yield _within_timeout(_inp_ms(click))


def _page_values(block: Block, vital: str) -> Iterator[float]:
    """One for each page that was loaded, but for one that came, and of which the browser told no such figure."""
    for page in block.pages:
        ms = getattr(page, vital)
        if ms is not None or not page.came:
            yield _within_timeout(ms)


def _clicks(block: Block, action: str) -> list[Click]:
    return [click for click in block.clicks if click.action == action]


def _inp_ms(click: Click) -> float:
    """What is not told apart is not told apart: 8 ms, and no entry at all, are both "at most 16 ms"."""
    return max(INP_FLOOR_MS, click.inp_ms or 0.0)


def _within_timeout(ms: float | None) -> float:
    """Infinite where it was not there within the timeout, whichever of them ended the wait."""
    return math.inf if ms is None or ms >= TIMEOUT_MS else ms


def figures(actions: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(action, figure) of each that there is; page loads are of no action."""
    yield from (("", vital.key) for vital in OF_A_PAGE)
    yield from ((action, vital.key) for action in actions for vital in OF_A_CLICK)


def _rows(blocks: Sequence[Block], facts: VitalsFacts) -> Iterator[VitalRow]:
    for rate in facts.rates_rps:
        for server in facts.servers:
            own = _of(blocks, server, rate)
            yield from (_row(own, server, rate, action, vital) for action, vital in figures(facts.actions) if own)


def _row(own: Sequence[Block], server: str, rate_rps: float, action: str, vital: str) -> VitalRow:
    values = [ms for block in own for ms in _values(block, action, vital)]
    p50, p75 = (_typical(own, action, vital, which) for which in (MEDIAN, RATED))
    return VitalRow(
        server=server,
        rate_rps=rate_rps,
        action=action,
        vital=vital,
        count=len(values),
        failed=sum(map(math.isinf, values)),
        p50_ms=p50,
        p75_ms=p75,
        at_most=vital == INP.key and p75 is not None and p75.value <= INP_FLOOR_MS,
        rating=VITALS[vital].rating(p75.value) if p75 else "",
    )


def _typical(own: Sequence[Block], action: str, vital: str, percentile: float) -> Interval | None:
    """The geometric mean over blocks; of INP, what lies below the floor is the floor, in the interval too."""
    found = stats.typical(_percentiles(own, action, vital, percentile), TIMEOUT_MS)
    if found is None or found.low is None or vital != INP.key:
        return found
    return replace(found, low=max(INP_FLOOR_MS, found.low))


def _percentiles(own: Sequence[Block], action: str, vital: str, percentile: float) -> list[Interval]:
    return [found for block in own if (found := block_percentile(block, action, vital, percentile))]


def _comparisons(blocks: Sequence[Block], facts: VitalsFacts) -> Iterator[VitalComparison]:
    for rate in facts.rates_rps:
        for a, b in combinations(facts.servers, 2):
            for action, vital in figures(facts.actions):
                pairs = list(_pairs(_of(blocks, a, rate), _of(blocks, b, rate), action, vital))
                ratio = stats.paired_ratio(pairs)
                result = stats.lower(ratio) if _is_seen(pairs, blocks, action, vital) else Difference.NOT_SHOWN
                yield VitalComparison(a, b, rate, action, vital, ratio, result)


def _pairs(
    first: Sequence[Block], second: Sequence[Block], action: str, vital: str
) -> Iterator[tuple[Interval, Interval]]:
    """One pair of medians for each round that both have."""
    others = {block.plan.round: block for block in second}
    for block in first:
        other = others.get(block.plan.round)
        medians = [block_percentile(one, action, vital, MEDIAN) for one in (block, other) if one]
        if len(medians) == 2 and medians[0] and medians[1]:
            yield medians[0], medians[1]


def _is_seen(pairs: Sequence[tuple[Interval, Interval]], blocks: Sequence[Block], action: str, vital: str) -> bool:
    """Whether two servers lie further apart than the figure can tell."""
    difference = stats.paired_difference([(a.value, b.value) for a, b in pairs])
    return difference is not None and abs(difference.value) > _resolution_ms(blocks, action, vital)


def _resolution_ms(blocks: Sequence[Block], action: str, vital: str) -> float:
    navigates = any(click.navigated for block in blocks for click in _clicks(block, action))
    whole_page = vital in (FCP.key, LCP.key) or (vital == CONTENT.key and navigates)
    return RESOLUTION_OF_A_PAGE_MS if whole_page else RESOLUTION_MS


def _of(blocks: Sequence[Block], server: str, rate_rps: float) -> list[Block]:
    return [block for block in blocks if (block.plan.server, block.plan.rate_rps) == (server, rate_rps)]


def _named(block: Block, reason: str | None) -> VoidBlock:
    return VoidBlock(block.plan.server, block.plan.rate_rps, block.plan.round, reason or "")
