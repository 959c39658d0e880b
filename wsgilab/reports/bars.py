"""Bars: one figure for each server, written out, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from wsgilab.model.interval import Interval
from wsgilab.reports.colours import Look
from wsgilab.reports.svg import LETTER, NARROW, n, picture, shortened

ROW = 36.0
END = NARROW - 1


@dataclass(frozen=True)
class Bar:
    """One server's figure, and how it is written."""

    name: str
    look: Look
    figure: Interval | None
    text: str


def bar_chart(title: str, bars: Sequence[Bar]) -> Markup:
    """Horizontal bars from 0, with intervals. Empty where no figure is known."""
    figures = [bar.figure for bar in bars if bar.figure is not None]
    if not figures:
        return Markup()
    largest = max(figure.high or figure.value for figure in figures)
    parts = [_bar(bar, number * ROW + 4, (END - 1) / (largest or 1.0)) for number, bar in enumerate(bars)]
    described = "; ".join(f"{bar.name}: {bar.text}" for bar in bars)
    return picture(title, described, NARROW, len(bars) * ROW + 4, parts)


def _bar(bar: Bar, y: float, scale: float) -> Markup:
    room = int((NARROW - LETTER * (len(bar.text) + 2)) / LETTER)
    name = Markup('<text class="name" x="0" y="{}">{}</text>').format(n(y + 9), shortened(bar.name, room))
    said = Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(n(NARROW), n(y + 9), bar.text)
    if bar.figure is None:
        return name + said
    rect = Markup('<rect class="bar mark" x="0.5" y="{}" width="{}" height="11" rx="2" fill="{}"/>').format(
        n(y + 15), n(bar.figure.value * scale), bar.look.colour
    )
    return name + said + rect + _interval(bar.figure, y + 15, scale)


def _interval(figure: Interval, top: float, scale: float) -> Markup:
    if figure.low is None or figure.high is None:
        return Markup()
    low, high = n(figure.low * scale), n(figure.high * scale)
    return Markup('<path class="over-bar" d="M{low} {y}H{high}M{low} {end}v7M{high} {end}v7"/>').format(
        low=low, high=high, y=n(top + 5.5), end=n(top + 2)
    )
