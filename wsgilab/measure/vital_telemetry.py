"""What a browser felt, for Prometheus: figures of a block that has just ended."""

from __future__ import annotations

from wsgilab.analysis.vitals import RATED, block_percentile, figures
from wsgilab.measure.remote_write import Series
from wsgilab.model.vitals import Block

FELT = "runner_browser_seconds"


def series_of(block: Block) -> list[Series]:
    """Each figure of a valid block, at the percentile at which Web Vitals are rated; none of one that is void."""
    if block.void or block.died:
        return []
    return [
        Series(FELT, found.value / 1000, _labels(block, action, vital))
        for action, vital in figures(block.plan.actions)
        if (found := block_percentile(block, action, vital, RATED))
    ]


def _labels(block: Block, action: str, vital: str) -> dict[str, str]:
    labels = {"server": block.plan.server, "load": f"{block.plan.rate_rps:g}", "vital": vital.removesuffix("_ms")}
    return labels | ({"wiring": action} if action else {})
