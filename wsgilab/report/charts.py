"""Charts as inline SVG: no script, no fonts, colours of the page by CSS classes, every mark with its figure in words.

A narrow chart has letters of natural size on a phone, a wide one on a desktop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from wsgilab.records import Interval
from wsgilab.report import words
from wsgilab.report.colours import Look

NARROW, WIDE = 360.0, 760.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 104.0, 14.0, 34.0
PLOT_HEIGHT = 230.0
LABEL_GAP, LABEL_WIDTH = 13.5, 34.0
ROW = 34.0
ROUND_MS = [decade * step for decade in (1.0, 10.0, 100.0, 1e3, 1e4, 1e5) for step in (1, 2, 5)]


@dataclass(frozen=True)
class Series:
    """One server's figures, one for each place on the x axis."""

    name: str
    look: Look
    figures: Sequence[Interval | None]


@dataclass(frozen=True)
class Bar:
    """One server's figure, and how it is written."""

    name: str
    look: Look
    figure: Interval | None
    text: str


@dataclass(frozen=True)
class _Places:
    """The x axis: as many places as there are labels, in each of them room for every server."""

    width: float
    count: int
    servers: int

    @property
    def right(self) -> float:
        return self.width - RIGHT

    def at(self, number: int, server: int | None = None) -> float:
        """The middle of a place, or a server's own spot in it: equal figures must not hide each other."""
        place = (self.right - LEFT) / self.count
        middle = LEFT + place * (number + 0.5)
        if server is None:
            return middle
        return middle + (server - (self.servers - 1) / 2) * min(14.0, place * 0.7 / self.servers)


@dataclass(frozen=True)
class _LogScale:
    """ms → y, from a round figure below the smallest value to one above the largest."""

    low_ms: float
    high_ms: float

    @classmethod
    def around(cls, values: Sequence[float]) -> _LogScale:
        low = max((each for each in ROUND_MS if each < min(values)), default=ROUND_MS[0] / 10)
        return cls(low, min((each for each in ROUND_MS if each >= max(values)), default=max(values)))

    def __call__(self, ms: float) -> float:
        share = math.log(max(ms, self.low_ms) / self.low_ms) / math.log(self.high_ms / self.low_ms)
        return TOP + PLOT_HEIGHT * (1 - share)

    @property
    def ticks_ms(self) -> list[float]:
        return [each for each in ROUND_MS if self.low_ms <= each <= self.high_ms]


def latency_chart(
    title: str,
    x_labels: Sequence[str],
    x_title: str,
    series: Sequence[Series],
    bound_ms: float | None = None,
    width: float = NARROW,
) -> Markup:
    """Times in ms over a few places on the x axis, on a logarithmic y axis, with intervals and the SLO's bound."""
    shown = [figure for each in series for figure in each.figures if figure is not None]
    if not shown:
        return Markup()
    y = _LogScale.around([*_ends(shown), *([bound_ms] if bound_ms else [])])
    x = _Places(width, len(x_labels), len(series))
    parts = [_grid(x, y), _x_axis(x, x_labels, x_title)]
    if bound_ms:
        parts.append(_bound(x, y(bound_ms), bound_ms))
    parts += [_line(each, x_labels, x, y, number) for number, each in enumerate(series)]
    parts.append(_end_labels(series, x, y))
    return _svg(title, _in_words(x_labels, series), width, TOP + PLOT_HEIGHT + BOTTOM, parts)


def bar_chart(title: str, bars: Sequence[Bar]) -> Markup:
    """Horizontal bars from 0, with intervals, each with its figure written out."""
    figures = [bar.figure for bar in bars if bar.figure is not None]
    if not figures:
        return Markup()
    largest = max(figure.high or figure.value for figure in figures)
    parts = [_bar(bar, number * ROW + 4, largest) for number, bar in enumerate(bars)]
    described = "; ".join(f"{bar.name}: {bar.text}" for bar in bars)
    return _svg(title, described, NARROW, len(bars) * ROW + 4, parts)


def swatch(look: Look) -> Markup:
    """A server's marker for a legend or a table row."""
    return Markup(
        '<svg class="swatch" viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true">'
        '<path class="mark" d="{}" fill="{}"/></svg>'
    ).format(look.marker, look.colour)


def _svg(title: str, description: str, width: float, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><desc>{}</desc>{}</svg>').format(
        _n(width), _n(height), title, description, Markup("").join(parts)
    )


def _ends(figures: Sequence[Interval]) -> list[float]:
    return [end for figure in figures for end in (figure.value, figure.low, figure.high) if end]


def _grid(x: _Places, y: _LogScale) -> Markup:
    lines = []
    for ms in y.ticks_ms:
        whole_decade = math.log10(ms).is_integer()
        lines.append(_rule(x, y(ms), "grid" if whole_decade else "grid faint"))
        text = Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>')
        lines.append(text.format(_n(LEFT - 6), _n(y(ms) + 3.5), words.round_duration(ms)))
    return Markup("").join(lines)


def _rule(x: _Places, y: float, kind: str) -> Markup:
    return Markup('<line class="{}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(kind, _n(LEFT), _n(x.right), y=_n(y))


def _bound(x: _Places, y: float, bound_ms: float) -> Markup:
    label = Markup('<text class="bound-label" x="{}" y="{}">SLO {}</text>').format(
        _n(LEFT + 4), _n(y - 4), words.round_duration(bound_ms)
    )
    return _rule(x, y, "bound") + label


def _x_axis(x: _Places, labels: Sequence[str], title: str) -> Markup:
    ticks = [
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _n(x.at(number)), _n(TOP + PLOT_HEIGHT + 15), label
        )
        for number, label in enumerate(labels)
        if number % math.ceil(len(labels) * LABEL_WIDTH / (x.right - LEFT)) == 0
    ]
    middle = (LEFT + x.right) / 2
    ticks.append(
        Markup('<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _n(middle), _n(TOP + PLOT_HEIGHT + 30), title
        )
    )
    return _rule(x, TOP + PLOT_HEIGHT, "axis-line") + Markup("").join(ticks)


def _line(series: Series, labels: Sequence[str], x: _Places, y: _LogScale, place: int) -> Markup:
    points = [
        (x.at(number, place), label, figure)
        for number, (label, figure) in enumerate(zip(labels, series.figures, strict=True))
        if figure is not None
    ]
    path = " ".join(f"{_n(at)},{_n(y(figure.value))}" for at, _, figure in points)
    line = Markup('<polyline class="line" points="{}" stroke="{}"/>').format(path, series.look.colour)
    return line + Markup("").join(_point(series, at, y, label, figure) for at, label, figure in points)


def _point(series: Series, x: float, y: _LogScale, label: str, figure: Interval) -> Markup:
    colour = series.look.colour
    whisker = Markup()
    if figure.low is not None and figure.high is not None:
        whisker = Markup('<path class="whisker" d="M{x} {}V{}M{} {}h6M{} {}h6" stroke="{}"/>').format(
            *(_n(y(figure.low)), _n(y(figure.high))),
            *(_n(x - 3), _n(y(figure.low)), _n(x - 3), _n(y(figure.high))),
            colour,
            x=_n(x),
        )
    arrow = Markup()
    if figure.censored:  # the true value lies above
        arrow = Markup('<path class="whisker" d="M{} {}v-7m-3 3l3-4l3 4" stroke="{}"/>').format(
            _n(x), _n(y(figure.value) - 5), colour
        )
    return (
        whisker
        + arrow
        + Markup(
            '<path class="mark" transform="translate({} {})" d="{}" fill="{}"><title>{}, {}: {}</title></path>'
        ).format(
            *(_n(x), _n(y(figure.value)), series.look.marker, colour),
            *(series.name, label, words.full_duration(figure)),
        )
    )


def _end_labels(series: Sequence[Series], x: _Places, y: _LogScale) -> Markup:
    """Names at the right edge, at the height of the last figure, pushed apart where they would overlap."""
    last = [(each, next((figure for figure in reversed(each.figures) if figure), None)) for each in series]
    wanted = sorted(((y(figure.value), each) for each, figure in last if figure), key=lambda pair: pair[0])
    heights = _spread([at for at, _ in wanted])
    left = x.right + 14
    mark = Markup('<path class="mark" transform="translate({} {})" d="{}" fill="{}"/>')
    name = Markup('<text class="name" x="{}" y="{}">{}</text>')
    return Markup("").join(
        mark.format(_n(left - 6), _n(at), each.look.marker, each.look.colour)
        + name.format(_n(left + 2), _n(at + 3.5), each.name)
        for at, (_, each) in zip(heights, wanted, strict=True)
    )


def _spread(heights: Sequence[float]) -> list[float]:
    """The same ascending heights, at least LABEL_GAP apart, moved as a block back into the plot where they left it."""
    placed: list[float] = []
    for at in heights:
        placed.append(max(at, placed[-1] + LABEL_GAP) if placed else at)
    limit = TOP + PLOT_HEIGHT
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - LABEL_GAP
    return placed


def _bar(bar: Bar, y: float, largest: float) -> Markup:
    scale = (NARROW - 8) / largest
    name = Markup('<text class="name" x="0" y="{}">{}</text>').format(_n(y + 9), bar.name)
    said = Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(
        _n(NARROW), _n(y + 9), bar.text
    )
    words_above = name + said
    if bar.figure is None:
        return words_above
    rect = Markup('<rect class="bar" x="0" y="{}" width="{}" height="10" rx="2" fill="{}"/>').format(
        _n(y + 14), _n(bar.figure.value * scale), bar.look.colour
    )
    if bar.figure.low is None or bar.figure.high is None:
        return words_above + rect
    ends = Markup('<path class="over-bar" d="M{} {y}H{}M{} {}v8M{} {}v8"/>').format(
        *(_n(bar.figure.low * scale), _n(bar.figure.high * scale)),
        *(_n(bar.figure.low * scale), _n(y + 15), _n(bar.figure.high * scale), _n(y + 15)),
        y=_n(y + 19),
    )
    return words_above + rect + ends


def _in_words(labels: Sequence[str], series: Sequence[Series]) -> str:
    def of(each: Series) -> str:
        figures = zip(labels, each.figures, strict=True)
        return f"{each.name}: " + ", ".join(f"{label} {words.full_duration(figure)}" for label, figure in figures)

    return "; ".join(of(each) for each in series)


def _n(value: float) -> str:
    """A coordinate with one decimal: the same bytes on every machine."""
    return f"{value:.1f}".removesuffix(".0")
