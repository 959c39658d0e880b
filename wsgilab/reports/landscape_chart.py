"""The landscape of a tuning: every setting by its slots and what it can do, as predicted and as measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from wsgilab.analysis.tuning.landscape import Point
from wsgilab.model import words
from wsgilab.model.tuning import Setting
from wsgilab.reports.colours import MARKERS, SPARE, Look
from wsgilab.reports.svg import n, picture

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 50.0, 14.0, 14.0, 40.0, 300.0
HIGHEST = 1.25
"""Predictions end here, above the best that was measured: a bound without end says nothing."""
SHAPES = ("circle", "square", "diamond")


def landscape_chart(points: Sequence[Point], chosen: Setting | None, width: float) -> Markup:
    """Predictions as rings, measurements filled; a whisker is the 95 % interval, the large mark the recommendation."""
    shown = [point for point in points if _measured(point) is not None or point.predicted_rps is not None]
    if not shown:
        return Markup("")
    scale = _Scale.around(shown, width)
    kinds = list(dict.fromkeys(point.setting.kind for point in shown))
    looks = {kind: Look(SPARE[number % 5], MARKERS[SHAPES[number % 3]]) for number, kind in enumerate(kinds)}
    parts = [*scale.axes()]
    for point in sorted(shown, key=lambda one: _measured(one) is not None):
        parts += _marks(point, looks[point.setting.kind], scale, is_chosen=point.setting == chosen)
    return picture("What each setting can do", _described(shown, chosen), width, HEIGHT, parts)


class _Scale:
    """(slots, rps) → a place in the chart."""

    def __init__(self, slots: tuple[int, int], highest_rps: float, width: float) -> None:
        self._slots, self._highest, self._width = slots, highest_rps, width

    @classmethod
    def around(cls, points: Sequence[Point], width: float) -> _Scale:
        best = max((_measured(point) or 0.0 for point in points), default=0.0)
        predicted = max((point.predicted_rps or 0.0 for point in points), default=0.0)
        counts = [_slots(point.setting) for point in points]
        return cls((min(counts), max(counts)), (best or predicted) * HIGHEST, width)

    def x(self, setting: Setting) -> float:
        low, high = self._slots
        share = math.log(_slots(setting) / low) / math.log(high / low) if high > low else 0.5
        return LEFT + 10 + share * (self._width - LEFT - RIGHT - 20)

    def y(self, rps: float) -> float:
        share = min(rps, self._highest) / self._highest if self._highest else 0.0
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self) -> Iterator[Markup]:
        for number in range(5):
            rps = self._highest * number / 4
            yield Markup('<path class="grid" d="M{} {}H{}"/><text class="tick" x="{}" y="{}">{}</text>').format(
                n(LEFT), n(self.y(rps)), n(self._width - RIGHT), n(4.0), n(self.y(rps) + 4), words.number(rps)
            )
        low, high = self._slots
        for count in (2**power for power in range(11)):
            if low <= count <= high:
                at = self.x(Setting("", "", count))
                yield Markup('<text class="tick" x="{}" y="{}">{}</text>').format(n(at - 4), n(HEIGHT - 22), count)
        yield Markup('<text class="tick" x="{}" y="{}">slots (rps above)</text>').format(n(LEFT), n(HEIGHT - 6))


def _marks(point: Point, look: Look, scale: _Scale, *, is_chosen: bool) -> Iterator[Markup]:
    x, measured = scale.x(point.setting), _measured(point)
    if point.predicted_rps is not None:
        yield Markup(
            '<circle cx="{}" cy="{}" r="3" fill="none" stroke="{}" stroke-opacity=".45"><title>{}</title></circle>'
        ).format(n(x), n(scale.y(point.predicted_rps)), look.colour, f"{point.setting.name}: predicted")
    if measured is None:
        return
    figure = point.capacity_rps
    if figure and figure.low is not None and figure.high is not None:
        yield Markup('<path d="M{} {}V{}" stroke="{}" stroke-width="2"/>').format(
            n(x), n(scale.y(figure.low)), n(scale.y(figure.high)), look.colour
        )
    size = 1.8 if is_chosen else 1.0
    yield Markup(
        '<path class="mark" transform="translate({} {}) scale({})" d="{}" fill="{}"><title>{}</title></path>'
    ).format(n(x), n(scale.y(measured)), n(size), look.marker, look.colour, _told(point))


def _measured(point: Point) -> float | None:
    return point.capacity_rps.value if point.capacity_rps else point.kept_rps


def _slots(setting: Setting) -> int:
    """Greenlets without end would leave no room for the others: they stand where their workers stand."""
    return setting.workers if setting.kind == "gevent" else setting.slots


def _told(point: Point) -> str:
    if point.capacity_rps:
        capacity = words.with_range(words.amount(point.capacity_rps, "rps"), words.amount_range(point.capacity_rps))
        return f"{point.setting.name}: {capacity}"
    return f"{point.setting.name}: kept {words.rps(point.kept_rps or 0.0)}"


def _described(points: Sequence[Point], chosen: Setting | None) -> str:
    told = [
        f"{_told(point)}{' (recommended)' if point.setting == chosen else ''}" for point in points if _measured(point)
    ]
    return "; ".join(told) or "Nothing was measured."
