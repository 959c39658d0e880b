"""The landscape of a tuning: a cell for each setting, darker where it can do more, with a figure where it was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from wsgilab.analysis.tuning.landscape import Point
from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.analysis.tuning.phrases import capacity, in_words
from wsgilab.model import words
from wsgilab.model.tuning import GREEN, Setting
from wsgilab.reports.svg import LETTER, WIDE, n, picture

LEFT, TOP, END, CELL_HEIGHT = 46.0, 34.0, 2.0, 26.0
HIGHEST = 1.25
"""Shades end here, above the best that was measured: a bound without end says nothing."""
FAINTEST, DARKEST = 0.05, 0.55
"""Of the shades: figures on the darkest can still be read."""
COLOUR = "#0072B2"

Line = tuple[bool, int]
"""What the cells of one row or column share: whether they are greenlets, and how many workers or threads."""


def landscape_chart(tuning: Tuning, width: float) -> Markup:
    """Workers by threads: threads to the right where the picture is wide, downwards on a phone."""
    shown = [point for point in tuning.points if point.windows or point.predicted_rps is not None]
    if not shown:
        return Markup("")
    grid = _Grid([point.setting for point in shown], width)
    shades = _Shades(shown, tuning.question.memory_mb)
    roles = {contender.point.setting: contender.roles for contender in tuning.contenders}
    parts = [*grid.titles(), *(_cell(point, grid, shades, roles.get(point.setting, ())) for point in shown)]
    # What is outlined comes last: a neighbour would cover the line.
    marked = [point.setting for point in shown if point.setting in roles]
    parts += [grid.outline(setting, is_chosen=setting == tuning.setting) for setting in marked]
    return picture("What each setting can do", _described(tuning), width, grid.height, parts)


class _Grid:
    """Where each setting has its cell."""

    def __init__(self, settings: Sequence[Setting], width: float) -> None:
        self._is_wide = width >= WIDE
        self._family = settings[0].family
        threads = sorted({_threads(setting) for setting in settings})
        workers = sorted({_workers(setting) for setting in settings})
        self._columns, self._rows = (threads, workers) if self._is_wide else (workers, threads)
        self._cell = (width - LEFT - END) / len(self._columns)
        self._width = width

    @property
    def height(self) -> float:
        return TOP + len(self._rows) * CELL_HEIGHT + END

    def place(self, setting: Setting) -> tuple[float, float]:
        """The left upper corner of its cell."""
        lines = (_threads(setting), _workers(setting))
        column, row = lines if self._is_wide else reversed(lines)
        return LEFT + self._columns.index(column) * self._cell, TOP + self._rows.index(row) * CELL_HEIGHT

    def box(self, setting: Setting) -> tuple[str, str, str, str]:
        """x, y, width and height of its cell."""
        x, y = self.place(setting)
        return n(x + 1), n(y + 1), n(self._cell - 2), n(CELL_HEIGHT - 2)

    def has_room(self, text: str) -> bool:
        return LETTER * len(text) <= self._cell - 2

    def middle(self, setting: Setting) -> tuple[str, str]:
        x, y = self.place(setting)
        return n(x + self._cell / 2), n(y + CELL_HEIGHT / 2 + 4)

    def outline(self, setting: Setting, *, is_chosen: bool) -> Markup:
        kind = "chosen" if is_chosen else "compared"
        return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"/>').format(kind, *self.box(setting))

    def titles(self) -> Iterator[Markup]:
        """Counts along both edges, and what they count."""
        text = Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>')
        workers = "processes" if self._family == "uwsgi" else "workers"
        down, right = (workers, "threads each") if self._is_wide else ("threads", workers)
        yield text.format("axis", n(self._width - END), n(11), "end", f"{right} →")
        yield text.format("axis", n(0), n(11), "start", f"{down} ↓")
        for number, column in enumerate(self._columns):
            yield text.format("tick", n(LEFT + (number + 0.5) * self._cell), n(TOP - 6), "middle", _label(column))
        for number, row in enumerate(self._rows):
            yield text.format("tick", n(LEFT - 5), n(TOP + (number + 0.5) * CELL_HEIGHT + 4), "end", _label(row))


class _Shades:
    """How dark each setting is."""

    def __init__(self, points: Sequence[Point], memory_mb: float | None) -> None:
        best = max((point.reached_rps or 0.0 for point in points), default=0.0)
        predicted = max((point.predicted_rps or 0.0 for point in points), default=0.0)
        self._highest = best * HIGHEST or predicted or 1.0
        self._memory_mb = memory_mb

    def has_room(self, point: Point) -> bool:
        """Whether the memory is enough for it, for all that is predicted."""
        return self._memory_mb is None or point.predicted_mb is None or point.predicted_mb <= self._memory_mb

    def opacity(self, point: Point) -> float:
        if point.died or not self.has_room(point):
            return 0.0
        could = point.reached_rps
        if could is None:
            could = min((rps for rps in (point.predicted_rps, point.missed_rps) if rps is not None), default=0.0)
        return FAINTEST + (DARKEST - FAINTEST) * min(could, self._highest) / self._highest


def _cell(point: Point, grid: _Grid, shades: _Shades, roles: Sequence[str]) -> Markup:
    setting, figure = point.setting, _figure(point)
    rect = Markup('<rect class="cell" x="{}" y="{}" width="{}" height="{}" fill="{}" fill-opacity="{}"/>').format(
        *grid.box(setting), COLOUR, f"{shades.opacity(point):.2f}"
    )
    role = f" ({', '.join(roles)})" if roles else ""
    told = f"{in_words(setting)}: {_told(point, shades)}{role}"
    text = Markup("")
    if figure and grid.has_room(figure):
        kind = "name" if point.capacity_rps else "tick"
        x, y = grid.middle(setting)
        text = Markup('<text class="{} in-cell" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            kind, x, y, figure
        )
    return Markup("<g><title>{}</title>{}{}</g>").format(told, rect, text)


def _figure(point: Point) -> str:
    """What stands in a cell: `312`; `≥2990` of a capacity that is a bound; `<400` of what kept no rate; nothing where
    only a prediction is known."""
    if point.died:
        return "✕"
    if point.reached_rps is not None:
        is_bound = point.capacity_rps is not None and point.capacity_rps.censored
        return f"{'≥' if is_bound else ''}{point.reached_rps:.0f}"
    return f"<{point.missed_rps:.0f}" if point.missed_rps is not None else ""


def _told(point: Point, shades: _Shades) -> str:
    """All that is known of a setting."""
    said = [_measured(point)] if point.windows else ["not measured"]
    if point.predicted_rps is not None:
        said.append(f"predicted {words.limit(point.predicted_rps)} at most")
    if not shades.has_room(point) and point.predicted_mb is not None:
        said.append(f"would need {words.number(point.predicted_mb)} MB")
    return ", ".join(said)


def _measured(point: Point) -> str:
    if point.died:
        return point.died
    if point.capacity_rps:
        return capacity(point.capacity_rps)
    if point.kept_rps is not None:
        return f"kept {words.rps(point.kept_rps)}"
    return f"missed {words.rps(point.missed_rps)}" if point.missed_rps is not None else "no valid window"


def _described(tuning: Tuning) -> str:
    roles = {contender.point.setting: f" ({', '.join(contender.roles)})" for contender in tuning.contenders}
    told = [f"{point.setting.name}: {_measured(point)}{roles.get(point.setting, '')}" for point in tuning.measured]
    return "; ".join(told) or "Nothing was measured."


def _threads(setting: Setting) -> Line:
    return (setting.kind == GREEN, 0 if setting.kind == GREEN else setting.threads)


def _workers(setting: Setting) -> Line:
    return (False, setting.workers)


def _label(line: Line) -> str:
    is_green, count = line
    return GREEN if is_green else str(count)
