"""What a browser felt as tables of plain text: for the terminal, Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wsgilab.model import words
from wsgilab.model.outcomes import Difference
from wsgilab.model.vitals import (
    CLIENTS,
    CONTENT,
    ENOUGH_CLICKS,
    INP,
    INP_FLOOR_MS,
    OF_A_PAGE,
    Vital,
    VitalComparison,
    VitalRow,
    VitalsVerdict,
)


@dataclass(frozen=True)
class Cell:
    """A figure at the 75th percentile."""

    figure: str
    interval: str = ""
    rating: str = ""
    remark: str = ""
    """How many clicks failed, where some did."""

    @property
    def full(self) -> str:
        """All of it in one line."""
        ranged = f" ({self.interval})" if self.interval else ""
        return f"{self.figure}{ranged}{f'; {self.remark}' if self.remark else ''}"


@dataclass(frozen=True)
class Table:
    """Servers down, figures across."""

    title: str
    about: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    """(server, its figures)."""


def tables(verdict: VitalsVerdict) -> Iterator[Table]:
    """Page loads, INP and click to content, for each background load."""
    for rate in verdict.rates_rps:
        under = f"with {words.rps(rate)} of background load" if rate else "idle"
        columns = [("", vital) for vital in OF_A_PAGE]
        yield _table(verdict, rate, f"Page loads, {under}", [vital.label for vital in OF_A_PAGE], columns)
        for vital in (INP, CONTENT):
            columns = [(action, vital) for action in verdict.actions]
            yield _table(verdict, rate, f"{vital.label}, {under}", verdict.actions, columns)


def method(verdict: VitalsVerdict) -> Iterator[str]:
    """How it was measured, in sentences."""
    clicks = verdict.rounds * verdict.clicks
    in_rounds = f" in each of {verdict.rounds} rounds" if verdict.rounds > 1 else ""
    yield (
        f"A real browser clicked each button {words.counted(verdict.clicks, 'time')}{in_rounds}: "
        f"{words.counted(clicks, 'click')} for each server and load."
    )
    if verdict.is_a_first_look:
        yield f"That is a first look: figures to rely on need at least {ENOUGH_CLICKS}."
    yield "Figures are 75th percentiles, as Web Vitals are rated; next to them their 95 % intervals over rounds."
    yield f"INP: {INP.explanation}; {_limits(INP)}. The browser reports none below {INP_FLOOR_MS:g} ms."
    yield f"{CONTENT.label}: {CONTENT.explanation}."
    yield "Servers are compared by their medians, within rounds."
    if any(verdict.rates_rps):
        yield f"The background load is '{verdict.workload}', from at most {CLIENTS} clients that wait at the same time."


def differences(verdict: VitalsVerdict) -> Iterator[str]:
    """Each difference of two servers that was shown, in a sentence."""
    for found in verdict.comparisons:
        if found.result is not Difference.NOT_SHOWN and found.ratio:
            yield _difference(found)


def voids(verdict: VitalsVerdict) -> Iterator[str]:
    """Blocks that do not count, and servers that died."""
    for block in (*verdict.deaths, *verdict.void_blocks):
        under = words.rps(block.rate_rps) if block.rate_rps else "idle"
        yield f"{block.server}, {under}, round {block.round}: {block.reason}"


def _table(
    verdict: VitalsVerdict, rate_rps: float, title: str, heads: Sequence[str], columns: Sequence[tuple[str, Vital]]
) -> Table:
    rows = []
    for server in verdict.servers:
        found = [verdict.row(server, rate_rps, action, vital.key) for action, vital in columns]
        rows.append((server, tuple(_cell(row) for row in found)))
    about = "; ".join(dict.fromkeys(f"{vital.label}: {vital.explanation}" for _, vital in columns))
    return Table(title, about, tuple(heads), tuple(rows))


def _cell(row: VitalRow | None) -> Cell:
    if row is None or row.p75_ms is None:
        return Cell(words.UNKNOWN)
    failed = f"{row.failed} of {row.count} failed" if row.failed else ""
    if row.at_most:
        return Cell(f"≤ {INP_FLOOR_MS:g} ms", rating=row.rating, remark=failed)
    return Cell(words.duration(row.p75_ms), words.duration_range(row.p75_ms), row.rating, failed)


def _difference(found: VitalComparison) -> str:
    lower, higher = (found.a, found.b) if found.result is Difference.A_LOWER else (found.b, found.a)
    under = f"with {words.rps(found.rate_rps)} of background load" if found.rate_rps else "idle"
    what = f"{_label(found.vital)}{f', {found.action}' if found.action else ''}"
    ratio = found.ratio.value if found.ratio else 1.0
    times = words.number(1 / ratio if ratio < 1 else ratio)
    bound = "at least " if found.ratio and found.ratio.censored else ""
    return f"{what}, {under}: {lower} lower than {higher}, by a factor of {bound}{times}"


def _label(key: str) -> str:
    return next(vital.label for vital in (*OF_A_PAGE, INP, CONTENT) if vital.key == key)


def _limits(vital: Vital) -> str:
    return f"good up to {vital.good_ms:g} ms, poor above {vital.poor_ms:g} ms"
