"""One colour and one marker per server, the same in every chart; Grafana's dashboards use the same colours.

After Okabe & Ito (https://jfly.uni-koeln.de/color/) and Paul Tol (https://sronpersonalpages.nl/~pault/): told apart
with red-green and blue-yellow blindness. Markers say the same without colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = {
    "dev-single": "#D55E00",
    "dev": "#E69F00",
    "gunicorn": "#0072B2",
    "uwsgi-single": "#CC79A7",
    "uwsgi": "#009E73",
    "gunicorn-gthread": "#56B4E9",
    "gunicorn-gevent": "#332288",
    "gunicorn-nginx": "#6699CC",
    "uwsgi-http": "#44AA99",
    "waitress": "#999933",
    "granian": "#882255",
}
SPARE = ("#117733", "#AA4499", "#DDCC77", "#661100", "#888888")
"""For servers with names of their own, in the order in which they appear."""
MARKERS = (
    "M-4.5 0A4.5 4.5 0 1 1 4.5 0A4.5 4.5 0 1 1-4.5 0Z",  # circle
    "M-4-4H4V4H-4Z",  # square
    "M0-5.5L5.5 0L0 5.5L-5.5 0Z",  # diamond
    "M0-5L5 4H-5Z",  # triangle
    "M0 5L5-4H-5Z",  # triangle on its head
    "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",  # plus
)


@dataclass(frozen=True)
class Look:
    """How one server is drawn."""

    colour: str
    marker: str
    """The path of an SVG shape around 0, 0."""


def looks(servers: Sequence[str]) -> dict[str, Look]:
    """A look for each server. A known server has its colour whoever else was measured."""
    strangers = [name for name in servers if name not in COLOURS]
    order = [*COLOURS, *strangers]
    spare = {name: SPARE[number % len(SPARE)] for number, name in enumerate(strangers)}
    return {name: Look(COLOURS.get(name) or spare[name], MARKERS[order.index(name) % len(MARKERS)]) for name in servers}
