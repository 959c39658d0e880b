"""What all charts share: inline SVG without script or fonts, colours of the page by CSS classes, figures in words.

A chart is drawn as wide as it is shown, so its letters keep their size: NARROW on a phone, WIDE on a desktop and paper.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from wsgilab.reports.colours import Look

NARROW, WIDE = 340.0, 700.0
LETTER = 7.0
"""Width of a letter of a name, bold and 11 px tall; no usual typeface is wider."""


def picture(title: str, description: str, width: float, height: float, parts: Sequence[Markup]) -> Markup:
    """A chart, and what it shows in words for those who do not see it."""
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><desc>{}</desc>{}</svg>').format(
        n(width), n(height), title, description, joined(parts)
    )


def swatch(look: Look) -> Markup:
    """A server's marker for a legend or a table row."""
    return Markup(
        '<svg class="swatch" viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true">'
        '<path class="mark" d="{}" fill="{}"/></svg>'
    ).format(look.marker, look.colour)


def shortened(name: str, most: int) -> str:
    """A name that fits where it must: `gunicorn-with-a-long…`. The description of the chart has all of it."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def joined(parts: Sequence[Markup]) -> Markup:
    """One piece of markup."""
    return Markup("").join(parts)


def n(value: float) -> str:
    """A coordinate with one decimal: the same bytes on every machine."""
    return f"{value:.1f}".removesuffix(".0")
