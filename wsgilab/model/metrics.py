"""Every figure of the lab, once: its name, meaning, unit and direction, how it is written, and where it appears.

Reports, comparisons, objectives, the dashboards' labels and docs/reference.md follow this table. A new metric takes a
row here and its measurement in `analysis/figures.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, Flag, auto
from functools import partial

from wsgilab.model import words
from wsgilab.model.interval import Interval


class Place(Flag):
    """Where a metric appears."""

    LOAD = auto()
    """In verdict.json, for each server under each rate."""
    WINDOW = auto()
    """In verdict.json, for each window."""
    COLUMN = auto()
    """In the tables of every report, and where two runs are compared."""
    COMPARED = auto()
    """Where the servers of a run are compared, pair by pair."""
    COST = auto()
    """Among what a server costs, which the HTML report draws."""
    GATE = auto()
    """Where `./lab gate` asks whether a change made it worse."""
    REQUEST = auto()
    """In verdict.json, for the requests of one name under each rate."""
    REQUEST_COLUMN = auto()
    """In the tables of requests by name."""


class Mean(Enum):
    """How the windows of one load make one figure."""

    GEOMETRIC = auto()
    """For what is positive and varies by a factor: times, CPU, memory."""
    ARITHMETIC = auto()
    """For what may be 0."""
    SHARE = auto()
    """For a share of the requests, which are counted over all windows."""


Write = Callable[[Interval | None], str]


@dataclass(frozen=True)
class Style:
    """How figures are written: a function for the figure, one for its 95 % interval."""

    figure: Write
    interval: Write


DURATION = Style(words.duration, words.duration_range)
SHARE = Style(words.percent, words.percent_range)
CAPACITY = Style(words.capacity, words.capacity_range)


def _amount(unit: str, decimals: int | None = None) -> Style:
    return Style(
        partial(words.amount, unit=unit, decimals=decimals),
        partial(words.amount_range, decimals=decimals),
    )


@dataclass(frozen=True)
class Metric:
    """One figure that is measured."""

    key: str
    """What verdict.json calls it; its last word is the unit."""
    label: str
    """What people call it: the heading of its column."""
    unit: str
    explanation: str
    """What it is, in one line."""
    style: Style
    places: Place
    lower_is_better: bool = True
    mean: Mean = Mean.GEOMETRIC
    percentile: float | None = None
    """The per cent of the scheduled requests that kept this latency, which is cut off at the timeout; else None."""
    bound_as: str = ""
    """What an objective calls it; empty where none can bound it."""
    best: str = ""
    """What is said of the server that is best at it. Servers are told apart by these metrics first."""
    short_label: str = ""
    """For narrow tables, where `label` is long."""
    per_start: bool = False
    """Whether it belongs to the start of a server: windows of one start are then one value (see analysis/starts.py)."""
    settles: bool = False
    """Whether a gate cannot pass while it is too uncertain. The others fail it only where they clearly got worse: a p99
    stays uncertain by a tenth after minutes of measuring, and an objective bounds it anyway."""
    left_out: int = 0
    """Which column a narrow terminal does without first: that with the highest number; with 0 it stays."""

    @property
    def heading(self) -> str:
        """The label for a narrow table."""
        return self.short_label or self.label

    @property
    def name(self) -> str:
        """The label inside a sentence: `memory`, `CPU per request`."""
        return self.label if self.label[:2].isupper() else f"{self.label[0].lower()}{self.label[1:]}"

    def text(self, figure: Interval | None) -> str:
        """The figure with its unit: `24.1 ms`."""
        return self.style.figure(figure)

    def range(self, figure: Interval | None) -> str:
        """Its 95 % interval: `23.8–24.6`; empty where there is none."""
        return self.style.interval(figure)

    def full(self, figure: Interval | None) -> str:
        """Both: `24.1 ms (23.8–24.6)`."""
        return words.with_range(self.text(figure), self.range(figure))


def _latency(
    percentile: float, places: Place = Place.LOAD, best: str = "", settles: bool = False, left_out: int = 0
) -> Metric:
    label = f"p{percentile:g}"
    return Metric(
        key=f"{label.replace('.', '_')}_ms",
        label=label,
        unit="ms",
        explanation=f"response time that {percentile:g} % of the *scheduled* requests kept",
        style=DURATION,
        places=Place.LOAD | Place.REQUEST | places,
        percentile=percentile,
        bound_as=label,
        best=best,
        settles=settles,
        left_out=left_out,
    )


TABLE = (
    _latency(50, Place.REQUEST_COLUMN | Place.WINDOW | Place.COLUMN | Place.COMPARED | Place.GATE, settles=True),
    _latency(90),
    _latency(95, Place.REQUEST_COLUMN | Place.COLUMN | Place.COMPARED, left_out=4),
    _latency(
        99, Place.REQUEST_COLUMN | Place.WINDOW | Place.COLUMN | Place.COMPARED | Place.GATE, best="the lowest p99"
    ),
    _latency(99.9),
    Metric(
        key="goodput_rps",
        label="Served",
        unit="rps",
        explanation="2xx answers per second, while requests were being sent",
        style=_amount("rps", decimals=0),
        places=Place.LOAD | Place.WINDOW | Place.COLUMN,
        lower_is_better=False,
        mean=Mean.ARITHMETIC,
    ),
    Metric(
        key="failed_ratio",
        label="Failed",
        unit="ratio",
        explanation="share of the *scheduled* requests without a 2xx answer in time",
        style=SHARE,
        places=Place.LOAD | Place.WINDOW | Place.COLUMN | Place.GATE | Place.REQUEST | Place.REQUEST_COLUMN,
        mean=Mean.SHARE,
        bound_as="failed",
        left_out=2,
    ),
    Metric(
        key="cpu_ms_per_request",
        label="CPU per request",
        unit="ms",
        explanation="CPU time of the server's processes (and nginx's, where it stands in front) per request",
        style=_amount("ms"),
        places=Place.LOAD | Place.WINDOW | Place.COLUMN | Place.COMPARED | Place.COST | Place.GATE,
        best="the least CPU per request",
        settles=True,
        short_label="CPU/req.",
        left_out=1,
    ),
    Metric(
        key="memory_mb",
        label="Memory",
        unit="MB",
        explanation="largest proportional set size (PSS) of the same processes",
        style=_amount("MB"),
        per_start=True,
        places=Place.LOAD | Place.WINDOW | Place.COLUMN | Place.COMPARED | Place.COST | Place.GATE,
        left_out=3,
    ),
    Metric(
        key="service_ms",
        label="Time in the app",
        unit="ms",
        explanation="mean time in the app, as its middleware saw it",
        style=DURATION,
        places=Place.LOAD | Place.REQUEST,
    ),
    Metric(
        key="app_cpu_ms",
        label="CPU in the app",
        unit="ms",
        explanation="of requests of one name: CPU time of the app's thread for each, as its middleware saw it",
        style=_amount("ms"),
        places=Place.REQUEST | Place.REQUEST_COLUMN,
        left_out=3,
    ),
    Metric(
        key="app_cpu_ratio",
        label="Share of CPU",
        unit="ratio",
        explanation="of requests of one name: their share of all that CPU time",
        style=SHARE,
        places=Place.REQUEST | Place.REQUEST_COLUMN,
        mean=Mean.ARITHMETIC,
        left_out=1,
    ),
    Metric(
        key="capacity_rps",
        label="Capacity",
        unit="rps",
        explanation="of a search: the highest offered rate that kept the objective",
        style=CAPACITY,
        places=Place(0),
        lower_is_better=False,
    ),
)
METRICS = {metric.key: metric for metric in TABLE}


def shown(place: Place) -> tuple[Metric, ...]:
    """The metrics that appear there, in the order of every report."""
    return tuple(metric for metric in TABLE if metric.places & place)
