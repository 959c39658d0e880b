"""What a run says about INP and the server: it follows only where the page blocks on its request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wsgilab.analysis import stats
from wsgilab.model import words
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Finding
from wsgilab.model.verdict import Claim
from wsgilab.model.vitals import BLOCKING, CONTENT, INP, TTFB, WIRINGS, Block

LEAST_SPREAD_MS = 50.0
"""Where the slowest and the quickest case lie closer together, nothing can be seen to follow or not."""
SHARE = 0.5
"""INP follows the content where it takes at least this share of what the content takes longer."""
Median = Callable[[Block, str, str], float | None]
Case = tuple[str, float]
"""A server under a background load."""


@dataclass(frozen=True)
class Spread:
    """How much longer something took in the slowest case than in the quickest, over rounds."""

    inp: Interval | None
    content: Interval | None

    @property
    def follows(self) -> bool | None:
        """Whether INP took its share of what the content took longer; None where that cannot be said."""
        if not _is_shown(self.content, LEAST_SPREAD_MS) or self.inp is None or self.content is None:
            return None
        bound = SHARE * self.content.value
        if self.inp.low is not None and self.inp.low >= bound:
            return True
        return False if self.inp.high is not None and self.inp.high < bound else None


def claims(blocks: Sequence[Block], median: Median) -> tuple[Claim, ...]:
    """The claims, held against the slowest and the quickest case; none without the lab's own buttons, or with one case.

    What follows something can be seen only where that changes: another server, or another load.
    """
    cases = {(block.plan.server, block.plan.rate_rps) for block in blocks}
    clicked = {click.action for block in blocks for click in block.clicks}
    if len(cases) < 2 or not {wiring.name for wiring in WIRINGS} <= clicked:
        return ()
    slowest, quickest = _extremes(blocks, median)

    def spread(action: str, vital: str) -> Interval | None:
        return stats.paired_difference(list(_pairs(blocks, (slowest, quickest), action, vital, median)))

    spreads = {
        wiring.name: Spread(spread(wiring.name, INP.key), spread(wiring.name, CONTENT.key)) for wiring in WIRINGS
    }
    ttfb = spread("", TTFB.key)
    between = f"from {_named(quickest)} to {_named(slowest)}"
    return (_where_it_blocks(spreads, between), _where_it_does_not(spreads, between), _content(spreads, ttfb, between))


def _where_it_blocks(spreads: dict[str, Spread], between: str) -> Claim:
    found = spreads[BLOCKING.name]
    result = {True: Finding.HOLDS, False: Finding.DOES_NOT_HOLD, None: Finding.INCONCLUSIVE}[found.follows]
    text = "INP follows the server where the page blocks on its request"
    return Claim("inp-follows-where-the-page-blocks", text, result, _evidence(between, {BLOCKING.name: found}))


def _where_it_does_not(spreads: dict[str, Spread], between: str) -> Claim:
    others = {name: spread for name, spread in spreads.items() if name != BLOCKING.name}
    follow = [spread.follows for spread in others.values()]
    result = Finding.INCONCLUSIVE
    if any(follow):
        result = Finding.DOES_NOT_HOLD
    elif all(found is False for found in follow):
        result = Finding.HOLDS
    text = "INP does not follow the server where the page goes on while it waits"
    return Claim("inp-stays-where-the-page-goes-on", text, result, _evidence(between, others))


def _content(spreads: dict[str, Spread], ttfb: Interval | None, between: str) -> Claim:
    differences = {"TTFB": ttfb, **{name: spread.content for name, spread in spreads.items()}}
    result = Finding.INCONCLUSIVE
    if all(_is_shown(found, LEAST_SPREAD_MS) for found in differences.values()):
        result = Finding.HOLDS
    elif _is_shown(ttfb, LEAST_SPREAD_MS) and any(_is_none(found) for found in differences.values()):
        result = Finding.DOES_NOT_HOLD
    listed = ", ".join(f"{name} {_signed(found)}" for name, found in differences.items())
    text = "TTFB and click to content follow the server, however the button is wired"
    return Claim("content-follows-the-server", text, result, f"{between}: {listed}")


def _extremes(blocks: Sequence[Block], median: Median) -> tuple[Case, Case]:
    """(slowest case, quickest case) by the time to the first byte, which no wiring changes."""
    seen: dict[Case, list[Interval]] = {}
    for block in blocks:
        found = median(block, "", TTFB.key)
        seen.setdefault((block.plan.server, block.plan.rate_rps), []).extend([Interval(found)] if found else [])
    typical = {case: figure.value for case, values in seen.items() if (figure := stats.typical(values))}
    cases = sorted(typical or seen, key=lambda case: (typical.get(case, 0.0), case))
    return cases[-1], cases[0]


def _pairs(
    blocks: Sequence[Block], cases: tuple[Case, Case], action: str, vital: str, median: Median
) -> list[tuple[float, float]]:
    """One (slowest, quickest) for each round that has both."""
    by_round: list[dict[int, float]] = [{}, {}]
    for block in blocks:
        for values, case in zip(by_round, cases, strict=True):
            found = median(block, action, vital)
            if (block.plan.server, block.plan.rate_rps) == case and found is not None:
                values[block.plan.round] = found
    slow, quick = by_round
    return [(slow[number], quick[number]) for number in sorted(slow.keys() & quick.keys())]


def _is_shown(difference: Interval | None, least_ms: float) -> bool:
    return difference is not None and difference.low is not None and difference.low > 0 and difference.value >= least_ms


def _is_none(difference: Interval | None) -> bool:
    """Whether a difference worth the name can be ruled out."""
    return difference is not None and difference.high is not None and difference.high < LEAST_SPREAD_MS


def _evidence(between: str, spreads: dict[str, Spread]) -> str:
    parts = (
        f"{name}: INP {_signed(spread.inp)}, content {_signed(spread.content)}" for name, spread in spreads.items()
    )
    return f"{between}: {'; '.join(parts)}"


def _signed(difference: Interval | None) -> str:
    if difference is None:
        return words.UNKNOWN
    ranged = ""
    if difference.low is not None and difference.high is not None:
        ranged = f" ({_with_sign(difference.low)} to {_with_sign(difference.high)})"
    return f"{_with_sign(difference.value)} ms{ranged}"


def _with_sign(ms: float) -> str:
    """`+40`, `−3`, `0`."""
    whole = round(ms)
    return f"{'+' if whole > 0 else '−' if whole < 0 else ''}{abs(whole)}"


def _named(case: Case) -> str:
    server, rate = case
    return f"{server} {f'at {words.rps(rate)}' if rate else 'idle'}"
