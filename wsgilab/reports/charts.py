"""Times of several servers against a rate or a percentile, on a logarithmic axis, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from wsgilab.model import words
from wsgilab.model.interval import Interval
from wsgilab.reports.colours import Look
from wsgilab.reports.svg import LETTER, NARROW, WIDE, joined, n, picture, shortened

LEFT, TOP, BOTTOM = 50.0, 18.0, 36.0
LEAST_HEIGHT = 230.0
LABEL_GAP, TICK_GAP = 13.5, 12.0
"""Between two names, and between two figures of the y axis."""
X_LABEL = 34.0
"""Room for a figure of the x axis."""
LONGEST_NAME = {NARROW: 16, WIDE: 40}
DODGE = 14.0
"""Servers with equal figures stand next to each other, at most so far apart."""
FAR = 5.0
"""Whiskers stretch the y axis at most by this factor beyond the figures: two windows may give an interval of hours."""
ROUND_MS = [decade * step for decade in (0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5) for step in (1, 2, 5)]


@dataclass(frozen=True)
class Series:
    """One server's figures, one for each place on the x axis."""

    name: str
    look: Look
    figures: Sequence[Interval | None]


@dataclass(frozen=True)
class Across:
    """The x axis: a place for each label, in it a spot for each server."""

    labels: Sequence[str]
    title: str
    at: Sequence[float] | None = None
    """What the labels stand for, ascending, above 0, where the axis is a logarithmic scale of that."""


@dataclass(frozen=True)
class _Places:
    middles: Sequence[float]
    dodge: float
    right: float
    servers: int

    @classmethod
    def of(cls, across: Across, servers: int, right: float) -> _Places:
        count = len(across.labels)
        place = (right - LEFT) / count
        if across.at is None or count == 1:
            middles = [LEFT + place * (number + 0.5) for number in range(count)]
        else:
            low, high = math.log(across.at[0]), math.log(across.at[-1])
            first, length = LEFT + place / 2, right - LEFT - place
            middles = [first + length * (math.log(value) - low) / (high - low) for value in across.at]
        nearest = min((b - a for a, b in pairwise(middles)), default=place)
        return cls(middles, min(DODGE, nearest * 0.75 / servers), right, servers)

    def spot(self, number: int, server: int) -> float:
        return self.middles[number] + (server - (self.servers - 1) / 2) * self.dodge


@dataclass(frozen=True)
class _LogScale:
    """ms → y, from a round figure below the smallest value to one above the largest."""

    low_ms: float
    high_ms: float
    height: float

    @classmethod
    def around(cls, figures: Sequence[Interval], bound_ms: float | None, height: float) -> _LogScale:
        values = [max(figure.value, ROUND_MS[0]) for figure in figures] + ([bound_ms] if bound_ms else [])
        ends = [end for figure in figures for end in (figure.low, figure.high) if end]
        low = max(min([*values, *ends]), min(values) / FAR)
        high = min(max([*values, *ends]), max(values) * FAR)
        below = max((ms for ms in ROUND_MS if ms < low), default=ROUND_MS[0] / 10)
        return cls(below, min((ms for ms in ROUND_MS if ms >= high), default=high), height)

    def __call__(self, ms: float) -> float:
        share = math.log(min(max(ms, self.low_ms), self.high_ms) / self.low_ms) / self._decades
        return TOP + self.height * (1 - share)

    @property
    def _decades(self) -> float:
        return math.log(self.high_ms / self.low_ms)

    @property
    def ticks_ms(self) -> list[float]:
        """Round figures, fewer of them where they would touch."""
        ticks = [ms for ms in ROUND_MS if self.low_ms <= ms <= self.high_ms]
        crowded = any(self(a) - self(b) < TICK_GAP for a, b in pairwise(ticks))
        return [ms for ms in ticks if _whole_decade(ms)] if crowded else ticks

    def shows(self, ms: float) -> bool:
        return self.low_ms <= ms <= self.high_ms


def latency_chart(
    title: str, across: Across, series: Sequence[Series], bound_ms: float | None = None, width: float = NARROW
) -> Markup:
    """Times in ms over places on the x axis, with the SLO's bound. Empty where no figure is known."""
    shown = [figure for server in series for figure in server.figures if figure is not None]
    if not shown:
        return Markup()
    names = [shortened(server.name, LONGEST_NAME[width]) for server in series]
    y = _LogScale.around(shown, bound_ms, max(LEAST_HEIGHT, len(series) * LABEL_GAP))
    x = _Places.of(across, len(series), width - 20 - LETTER * max(map(len, names)))
    parts = [_grid(x, y), _x_axis(x, y, across)]
    if bound_ms:
        parts.append(_bound(x, y(bound_ms), bound_ms))
    parts += [_line(server, across.labels, x, y, number) for number, server in enumerate(series)]
    parts.append(_names(names, series, x, y))
    return picture(title, _in_words(across.labels, series), width, TOP + y.height + BOTTOM, parts)


def _whole_decade(ms: float) -> bool:
    return abs(math.log10(ms) - round(math.log10(ms))) < 1e-9


def _grid(x: _Places, y: _LogScale) -> Markup:
    lines = []
    for ms in y.ticks_ms:
        lines.append(_rule(x, y(ms), "grid" if _whole_decade(ms) else "grid faint"))
        text = Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>')
        lines.append(text.format(n(LEFT - 6), n(y(ms) + 3.5), words.round_duration(ms)))
    return joined(lines)


def _rule(x: _Places, y: float, kind: str) -> Markup:
    return Markup('<line class="{}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(kind, n(LEFT), n(x.right), y=n(y))


def _bound(x: _Places, y: float, bound_ms: float) -> Markup:
    label = Markup('<text class="bound-label" x="{}" y="{}">SLO {}</text>').format(
        n(LEFT + 4), n(y - 4), words.round_duration(bound_ms)
    )
    return _rule(x, y, "bound") + label


def _x_axis(x: _Places, y: _LogScale, across: Across) -> Markup:
    floor = TOP + y.height
    text = Markup('<text class="{}" x="{}" y="{}" text-anchor="middle">{}</text>')
    parts = [_rule(x, floor, "axis-line")]
    free = math.inf
    for middle, label in reversed(list(zip(x.middles, across.labels, strict=True))):
        parts.append(Markup('<path class="axis-line" d="M{} {}v4"/>').format(n(middle), n(floor)))
        if middle + X_LABEL / 2 <= free:  # from the right: the highest rate is the one to read
            parts.append(text.format("tick", n(middle), n(floor + 16), label))
            free = middle - X_LABEL / 2
    parts.append(text.format("axis", n((LEFT + x.right) / 2), n(floor + 32), across.title))
    return joined(parts)


def _line(series: Series, labels: Sequence[str], x: _Places, y: _LogScale, server: int) -> Markup:
    points = [
        (x.spot(number, server), label, figure)
        for number, (label, figure) in enumerate(zip(labels, series.figures, strict=True))
        if figure is not None
    ]
    path = " ".join(f"{n(at)},{n(y(figure.value))}" for at, _, figure in points)
    line = Markup('<polyline class="line" points="{}" stroke="{}"/>').format(path, series.look.colour)
    return line + joined([_point(series, at, y, label, figure) for at, label, figure in points])


def _point(series: Series, x: float, y: _LogScale, label: str, figure: Interval) -> Markup:
    mark = Markup('<path class="mark" transform="translate({} {})" d="{}" fill="{}"><title>{}, {}: {}</title></path>')
    return _whisker(figure, x, y, series.look.colour) + mark.format(
        *(n(x), n(y(figure.value)), series.look.marker, series.look.colour),
        *(series.name, label, words.full_duration(figure)),
    )


def _whisker(figure: Interval, x: float, y: _LogScale, colour: str) -> Markup:
    """The interval; an end without a bar goes on beyond the picture. An arrow where the true value lies above."""
    drawn = ""
    if figure.low is not None and figure.high is not None:
        drawn = f"M{n(x)} {n(y(figure.low))}V{n(y(figure.high))}"
        drawn += "".join(f"M{n(x - 3)} {n(y(end))}h6" for end in (figure.low, figure.high) if y.shows(end))
    if figure.censored:
        drawn += f"M{n(x)} {n(y(figure.value) - 5)}v-8m-3 3l3-4l3 4"
    return Markup('<path class="whisker" d="{}" stroke="{}"/>').format(drawn, colour) if drawn else Markup()


def _names(names: Sequence[str], series: Sequence[Series], x: _Places, y: _LogScale) -> Markup:
    """Names at the right edge, at the height of the last figure, pushed apart where they would overlap."""
    last = [next((figure for figure in reversed(server.figures) if figure), None) for server in series]
    wanted = sorted(
        ((y(figure.value), number) for number, figure in enumerate(last) if figure), key=lambda pair: pair[0]
    )
    heights = _apart([at for at, _ in wanted], TOP + y.height)
    mark = Markup('<path class="mark" transform="translate({} {})" d="{}" fill="{}"/>')
    text = Markup('<text class="name" x="{}" y="{}">{}</text>')
    return joined(
        [
            mark.format(n(x.right + 8), n(at), series[number].look.marker, series[number].look.colour)
            + text.format(n(x.right + 17), n(at + 3.5), names[number])
            for at, (_, number) in zip(heights, wanted, strict=True)
        ]
    )


def _apart(heights: Sequence[float], limit: float) -> list[float]:
    """The same ascending heights, at least LABEL_GAP apart, moved as a block back above `limit` where they left it."""
    placed: list[float] = []
    for at in heights:
        placed.append(max(at, placed[-1] + LABEL_GAP) if placed else at)
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - LABEL_GAP
    return placed


def _in_words(labels: Sequence[str], series: Sequence[Series]) -> str:
    def of(server: Series) -> str:
        figures = zip(labels, server.figures, strict=True)
        return f"{server.name}: " + ", ".join(f"{label} {words.full_duration(figure)}" for label, figure in figures)

    return "; ".join(of(server) for server in series)
