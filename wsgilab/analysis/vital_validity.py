"""Reasons to void a block of clicks: the browser failed, so its figures say nothing about the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from wsgilab.model.vitals import CLIENTS, Block
from wsgilab.model.words import counted, rps

LATE_MS = 50.0
"""Nothing runs in a page that waits for a click. One that takes it up so late, in half of the clicks, had no CPU."""


MOST_FOREIGN, MUCH_FOREIGN = 0.5, 0.2
"""Shares of the browser's CPUs that others have: above the first a block is void, above the second worth a word."""
KEPT_UP = 0.9
"""A share of the load that was asked for. Less than that was answered: there was no more load."""


def void_reason(block: Block) -> str | None:
    """Why the block cannot be trusted, as one sentence; None where it can.

    A click without content, or with late content, is what was measured, and voids nothing.
    """
    return _nothing(block) or _hidden(block) or _lost(block) or _late(block) or _crowded_out(block)


def _nothing(block: Block) -> str | None:
    return None if block.clicks else "nothing was clicked"


def _hidden(block: Block) -> str | None:
    hidden = sum(click.hidden for click in block.clicks)
    return f"the page was hidden during {counted(hidden, 'click')}: a browser paints nothing then" if hidden else None


def _lost(block: Block) -> str | None:
    """A click that the browser did not count as an interaction is lost; one without an entry was only quick."""
    lost = [click for click in block.clicks if click.made and click.interactions != 1]
    if not lost:
        return None
    seen = sum(click.interactions for click in lost)
    return f"the browser counted {counted(seen, 'interaction')} in {counted(len(lost), 'click')}"


def _late(block: Block) -> str | None:
    delays = [click.delay_ms for click in block.clicks if click.delay_ms is not None]
    if not delays or median(delays) < LATE_MS:
        return None
    return f"the browser was short of CPU: it took up clicks {median(delays):.0f} ms late in the median"


def _crowded_out(block: Block) -> str | None:
    share = block.foreign_cpu_share or 0.0
    if share <= MOST_FOREIGN:
        return None
    return f"the browser was short of CPU: other programs had {100 * share:.0f} % of its CPUs"


def cautions(blocks: Sequence[Block]) -> list[str]:
    """What is to be said of figures that count, as sentences."""
    return [*_busy_machine(blocks), *_less_load(blocks)]


def _busy_machine(blocks: Sequence[Block]) -> Iterator[str]:
    shares = [share for block in blocks if (share := block.foreign_cpu_share or 0.0) > MUCH_FOREIGN]
    if shares:
        yield (
            f"in {len(shares)} of {counted(len(blocks), 'block')} other programs had a part of the browser's CPUs, up "
            f"to {100 * max(shares):.0f} %: figures are higher than on a quiet machine, for every server alike"
        )


def _less_load(blocks: Sequence[Block]) -> Iterator[str]:
    """Servers whose load was not what was asked for: the few clients waited for answers instead."""
    answered: dict[tuple[str, float], list[float]] = {}
    for block in blocks:
        if block.served_rps is not None and block.plan.rate_rps:
            answered.setdefault((block.plan.server, block.plan.rate_rps), []).append(block.served_rps)
    for (server, rate), served in answered.items():
        if median(served) < KEPT_UP * rate:
            yield (
                f"{server} answered {median(served):.0f} of {rps(rate)} of background load: no more than {CLIENTS} "
                "clients wait for it at the same time"
            )
