"""Reasons to void a block of clicks: the browser failed, so its figures say nothing about the server."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from wsgilab.model.vitals import Block
from wsgilab.model.words import counted

LATE_MS = 50.0
"""Nothing runs in a page that waits for a click. One that takes it up so late, in half of the clicks, had no CPU."""


WAITED = 1.5
"""Seconds that the browser's threads, ready to run, wait for a CPU per second of a block, in sum: it has many threads,
so some always do. Blocks of the same page next to other programs: below 1.1 their first paint was that of a quiet
machine, above 1.4 half as late again and more."""


def void_reason(block: Block) -> str | None:
    """Why the block cannot be trusted, as one sentence; None where it can.

    A click without content, or with late content, is what was measured, and voids nothing.
    """
    return _nothing(block) or _hidden(block) or _lost(block) or _short_of_cpu(block)


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


def _short_of_cpu(block: Block) -> str | None:
    delays = [click.delay_ms for click in block.clicks if click.delay_ms is not None]
    if not delays or median(delays) < LATE_MS:
        return None
    return f"the browser was short of CPU: it took up clicks {median(delays):.0f} ms late in the median"


def cautions(blocks: Sequence[Block]) -> list[str]:
    """What is to be said of all figures, as sentences: they count, but not for another machine or hour."""
    busy = sum((block.browser_wait_share or 0.0) > WAITED for block in blocks)
    if not busy:
        return []
    return [
        f"in {busy} of {counted(len(blocks), 'block')} the browser often waited for a CPU, which others used: figures "
        "are higher than on a quiet machine, for every server alike"
    ]
