"""One colour and one marker per server, the same in every chart: those of compose.yaml, as the manifest kept them.

Colours after Okabe & Ito (https://jfly.uni-koeln.de/color/) and Paul Tol (https://sronpersonalpages.nl/~pault/): told
apart with red-green and blue-yellow blindness. Markers say the same without colour.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wsgilab.model.manifest import ServerEntry

SPARE = ("#117733", "#AA4499", "#DDCC77", "#661100", "#888888")
"""For servers without a colour of their own, such as variants, in the order in which they appear."""
MARKERS = {
    "circle": "M-4.5 0A4.5 4.5 0 1 1 4.5 0A4.5 4.5 0 1 1-4.5 0Z",
    "square": "M-4-4H4V4H-4Z",
    "diamond": "M0-5.5L5.5 0L0 5.5L-5.5 0Z",
    "triangle": "M0-5L5 4H-5Z",
    "triangle-down": "M0 5L5-4H-5Z",
    "plus": "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
}
"""By the name that compose.yaml uses, the path of an SVG shape around 0, 0."""
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


@dataclass(frozen=True)
class Look:
    """How one server is drawn."""

    colour: str
    marker: str
    """The path of an SVG shape around 0, 0."""


def looks(servers: Sequence[str], described: Sequence[ServerEntry]) -> dict[str, Look]:
    """A look for each server. `described`: the manifest's servers, which may say nothing about some or all of them."""
    colours = {entry.name: entry.colour for entry in described if entry.colour and COLOUR.fullmatch(entry.colour)}
    shapes = {entry.name: MARKERS[entry.marker] for entry in described if entry.marker in MARKERS}
    spare = [colour for colour in SPARE if colour not in colours.values()] or SPARE
    strangers = [name for name in servers if name not in colours]
    colours |= {name: spare[number % len(spare)] for number, name in enumerate(strangers)}
    every = list(MARKERS.values())
    return {
        name: Look(colours[name], shapes.get(name, every[number % len(every)])) for number, name in enumerate(servers)
    }
