"""How windows went over time: one small chart for each server and rate, a line for each round."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from wsgilab.report import words
from wsgilab.report.colours import Look
from wsgilab.report.window_row import WindowRow

WIDTH, HEIGHT = 170.0, 64.0
LEFT, RIGHT, TOP, BOTTOM = 4.0, 4.0, 14.0, 12.0
HEADROOM = 1.25
MOST_LINES = 12
"""More rounds than this in one small chart are a smear; the first and the last are shown."""


def timeline(server: str, rate_rps: float, look: Look, windows: Sequence[WindowRow]) -> Markup:
    """Answers per second, against the offered rate (dashed). Empty where no window was read while it ran."""
    shown = [window for window in _few(windows) if window.moments]
    if not shown:
        return Markup()
    ends = [moment.at_s for window in shown for moment in window.moments]
    most = max([rate_rps, *(moment.answered_rps for window in shown for moment in window.moments)])
    x = _Scale(min(-0.5, *ends), max(ends), LEFT, WIDTH - RIGHT)
    y = _Scale(0.0, most * HEADROOM, HEIGHT - BOTTOM, TOP)
    parts = [_frame(x, y, rate_rps), *(_line(window, x, y, look) for window in shown)]
    title = f"{server} at {words.rps(rate_rps)}: answers per second over {words.counted(len(shown), 'window')}"
    return Markup('<svg class="timeline" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _n(WIDTH), _n(HEIGHT), title, Markup("").join(parts)
    )


class _Scale:
    """Numbers → coordinates."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self._low, self._span = low, (high - low) or 1.0
        self._first, self._length = first, last - first

    def __call__(self, value: float) -> str:
        return _n(self._first + (value - self._low) / self._span * self._length)


def _few(windows: Sequence[WindowRow]) -> Sequence[WindowRow]:
    half = MOST_LINES // 2
    return windows if len(windows) <= MOST_LINES else [*windows[:half], *windows[-half:]]


def _frame(x: _Scale, y: _Scale, rate_rps: float) -> Markup:
    """The floor, the offered rate, and the moment from which the window counts."""
    return Markup(
        '<path class="axis-line" d="M{left} {floor}H{right}"/><path class="bound" d="M{left} {offered}H{right}"/>'
        '<path class="grid" d="M{start} {top}V{floor}"/>'
        '<text class="tick" x="{start}" y="{below}" text-anchor="middle">0 s</text>'
    ).format(
        left=_n(LEFT),
        right=_n(WIDTH - RIGHT),
        floor=y(0),
        offered=y(rate_rps),
        start=x(0),
        top=_n(TOP),
        below=_n(HEIGHT - 2),
    )


def _line(window: WindowRow, x: _Scale, y: _Scale, look: Look) -> Markup:
    points = " ".join(f"{x(moment.at_s)},{y(moment.answered_rps)}" for moment in window.moments)
    kind = "line void" if window.void else "line"
    last = window.moments[-1]
    return Markup('<polyline class="{}" points="{}" stroke="{}"><title>{}</title></polyline>').format(
        kind, points, look.colour, f"round {window.round}: {last.in_flight:g} waiting at the end"
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
