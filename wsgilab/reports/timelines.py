"""How windows went over time: one small chart for each server and rate, a line for each round."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from wsgilab.model import words
from wsgilab.model.metrics import METRICS
from wsgilab.model.window_row import WindowRow
from wsgilab.reports.colours import Look
from wsgilab.reports.svg import joined, n

WIDTH, HEIGHT = 260.0, 92.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 12.0, 8.0, 18.0
HEADROOM = 1.15
MOST_LINES = 12
"""More rounds than this in one small chart are a smear; the first and the last are shown."""


def timeline(server: str, rate_rps: float, look: Look, windows: Sequence[WindowRow]) -> Markup:
    """Answers per second, against the offered rate (dashed). Empty where no window was read while it ran."""
    shown = [window for window in _few(windows) if window.moments]
    if not shown:
        return Markup()
    ends = [moment.at_s for window in shown for moment in window.moments]
    lengths = [window.duration_s for window in shown]
    most = max([rate_rps, *(moment.answered_rps for window in shown for moment in window.moments)])
    x = _Scale(min(-0.5, *ends), max(*ends, *lengths), LEFT, WIDTH - RIGHT)
    y = _Scale(0.0, most * HEADROOM, HEIGHT - BOTTOM, TOP)
    parts = [_frame(x, y, rate_rps, max(lengths)), *(_line(window, x, y, look) for window in shown)]
    title = f"{server} at {words.rps(rate_rps)}: answers per second over {words.counted(len(shown), 'window')}"
    return Markup(
        '<svg class="timeline" viewBox="0 0 {} {}" role="img" aria-label="{}"><desc>{}</desc>{}</svg>'
    ).format(n(WIDTH), n(HEIGHT), title, "; ".join(map(_in_words, shown)), joined(parts))


class _Scale:
    """Numbers → coordinates."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self._low, self._span = low, (high - low) or 1.0
        self._first, self._length = first, last - first

    def __call__(self, value: float) -> str:
        return n(self._first + (value - self._low) / self._span * self._length)


def _few(windows: Sequence[WindowRow]) -> Sequence[WindowRow]:
    half = MOST_LINES // 2
    return windows if len(windows) <= MOST_LINES else [*windows[:half], *windows[-half:]]


def _frame(x: _Scale, y: _Scale, rate_rps: float, duration_s: float) -> Markup:
    """The floor, the offered rate, and the stretch that counts, with its figures."""
    return Markup(
        '<path class="counted" d="M{start} {top}H{end}V{floor}H{start}Z"/>'
        '<path class="axis-line" d="M{left} {floor}H{right}"/><path class="bound" d="M{left} {offered}H{right}"/>'
        '<text class="tick" x="{before}" y="{beside}" text-anchor="end">{rate:g}</text>'
        '<text class="tick" x="{before}" y="{floor}" text-anchor="end">0</text>'
        '<text class="tick" x="{start}" y="{below}" text-anchor="middle">0 s</text>'
        '<text class="tick" x="{end}" y="{below}" text-anchor="middle">{length:g} s</text>'
    ).format(
        left=n(LEFT),
        right=n(WIDTH - RIGHT),
        before=n(LEFT - 5),
        top=n(TOP),
        floor=y(0),
        offered=y(rate_rps),
        beside=n(float(y(rate_rps)) + 3.5),
        start=x(0),
        end=x(duration_s),
        below=n(HEIGHT - 4),
        rate=rate_rps,
        length=duration_s,
    )


def _line(window: WindowRow, x: _Scale, y: _Scale, look: Look) -> Markup:
    points = " ".join(f"{x(moment.at_s)},{y(moment.answered_rps)}" for moment in window.moments)
    kind = "line void" if window.void else "line"
    last = window.moments[-1]
    return Markup('<polyline class="{}" points="{}" stroke="{}"><title>{}</title></polyline>').format(
        kind, points, look.colour, f"round {window.round}: {last.in_flight:g} waiting at the end"
    )


def _in_words(window: WindowRow) -> str:
    """`round 2: 98 rps served`"""
    served = METRICS["goodput_rps"].text(window.figures["goodput_rps"])
    return f"round {window.round}{', void' if window.void else ''}: {served} served"
