"""One server as a picture: requests that arrive, wait, are worked on, and leave. Pure; styles are in home.css."""

from __future__ import annotations

import math

from markupsafe import Markup

from wsgilab.reports.svg import joined, n
from wsgilab.view.live import Flow

WIDTH, HEIGHT, MIDDLE = 340.0, 40.0, 20.0
PROXY_FROM, PROXY_TO = 30.0, 68.0
QUEUE_FROM, QUEUE_TO = 74.0, 158.0
DOT = 8.0
MOST_DOTS = 10
SLOTS_FROM, SLOTS_TO = 172.0, 278.0
PITCH = 13.0
IN_A_ROW = 8
MOST_SQUARES = 2 * IN_A_ROW
"""More slots are drawn as a bar, of which a part is full."""


def picture(flow: Flow, colour: str, via: str | None) -> Markup:
    """Left to right: arriving, the proxy where there is one, the queue, the slots, leaving.

    It repeats in shapes what stands next to it in words, so a screen reader leaves it out.
    """
    parts = [
        _stream("arriving", 2.0, (PROXY_FROM if via else QUEUE_FROM) - 4, flow.arriving_rps),
        _proxy(via) if via else Markup(),
        _queue(flow),
        _slots(flow, colour),
        _stream("leaving", SLOTS_TO + 6, WIDTH - 2, flow.answered_rps),
        _stream("failing", SLOTS_TO + 6, WIDTH - 2, flow.failing_rps, MIDDLE + 9),
    ]
    return Markup('<svg class="flow" viewBox="0 0 {} {}" aria-hidden="true" focusable="false">{}</svg>').format(
        n(WIDTH), n(HEIGHT), joined(parts)
    )


def _stream(kind: str, start: float, end: float, rps: float | None, height: float = MIDDLE) -> Markup:
    """Dots that move, the faster the more there are: ten times as many take half the time from one to the next."""
    moving = rps is not None and rps > 0.05
    if kind == "failing" and not moving:
        return Markup()
    pace = Markup(' style="--pace: {}s"').format(n(max(0.2, 2.0 / 2 ** _decades(rps or 0.0)))) if moving else ""
    return Markup('<path class="stream {}{}"{} d="M{} {y}H{}"/>').format(
        kind, " moving" if moving else "", pace, n(start), n(end), y=n(height)
    )


def _decades(rps: float) -> float:
    """Rounded, so that a rate that trembles does not start the dots anew each second."""
    return round(2 * math.log10(max(1.0, rps))) / 2


def _proxy(via: str) -> Markup:
    return Markup(
        '<rect class="box" x="{}" y="9" width="{}" height="22" rx="4"/>'
        '<text class="letters" x="{}" y="23.5" text-anchor="middle">{}</text>'
    ).format(n(PROXY_FROM), n(PROXY_TO - PROXY_FROM), n((PROXY_FROM + PROXY_TO) / 2), via[:6])


def _queue(flow: Flow) -> Markup:
    """A tube that fills from its right end, where the next request is taken."""
    waiting = max(0, round(flow.waiting or 0.0))
    dots = min(waiting, MOST_DOTS)
    tube = Markup('<path class="tube{}" d="M{start} 11H{end}M{start} 29H{end}"/>').format(
        " full" if waiting > MOST_DOTS else "", start=n(QUEUE_FROM), end=n(QUEUE_TO)
    )
    row = [
        Markup('<circle class="waiting" cx="{}" cy="20" r="3"/>').format(n(QUEUE_TO - 5 - DOT * place))
        for place in range(dots)
    ]
    return tube + joined(row)


def _slots(flow: Flow, colour: str) -> Markup:
    busy = max(0, round(flow.busy or 0.0))
    if flow.slots is not None and flow.slots > MOST_SQUARES:
        return _bar(busy, flow.slots, colour)
    count = min(MOST_SQUARES, busy + 1) if flow.slots is None else flow.slots
    rows = 1 if count <= IN_A_ROW else 2
    squares = [
        _square(number, rows, colour if number < busy else None, more=flow.slots is None and number == count - 1)
        for number in range(count)
    ]
    return joined(squares)


def _square(number: int, rows: int, colour: str | None, *, more: bool) -> Markup:
    """`more`: dashed, for the thread that the next request would get."""
    across, down = number % IN_A_ROW, number // IN_A_ROW
    top = MIDDLE - rows * PITCH / 2 + down * PITCH + 1
    fill = Markup(' fill="{}"').format(colour) if colour else ""
    return Markup('<rect class="slot {}" x="{}" y="{}" width="11" height="11" rx="2"{}/>').format(
        "busy" if colour else "more" if more else "free", n(SLOTS_FROM + across * PITCH), n(top), fill
    )


def _bar(busy: int, slots: int, colour: str) -> Markup:
    whole = IN_A_ROW * PITCH - 2
    part = whole * min(1.0, busy / slots)
    return Markup(
        '<rect class="slot free" x="{x}" y="14" width="{}" height="12" rx="2"/>'
        '<rect class="slot busy" x="{x}" y="14" width="{}" height="12" rx="2" fill="{}"/>'
    ).format(n(whole), n(part), colour, x=n(SLOTS_FROM))
