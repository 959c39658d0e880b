"""What a browser feels: clicks and page loads, the blocks they are measured in, and what is made of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Difference
from wsgilab.model.verdict import Claim

VITALS_SCHEMA = 1
INP_FLOOR_MS = 16.0
"""The Event Timing API reports no event that took less, but for the first of a page: such a click took "≤ 16 ms"."""
CONTENT_TIMEOUT_S = 10.0
"""A click whose content is not there by then has failed: it took longer, and is counted so."""
ENOUGH_CLICKS = 20
"""Of each button, on each server, under each load; fewer are a first look, and said to be one."""
CLIENTS = 10
"""So many others wait for an answer at most. Where as many as came would wait, a server that cannot keep up would
answer no click at all, and nothing could be said but that."""
MOMENTS_MS = (0, 100, 250, 500, 1_000, 2_000)
"""After a click, when a filmstrip shows what is on the screen."""
IDLE = 0.0
"""The rate at which nobody else asks the server for anything."""


@dataclass(frozen=True)
class Vital:
    """A figure of the browser. `good` and `poor` are the limits of Web Vitals at the 75th percentile, in ms."""

    key: str
    label: str
    explanation: str
    good_ms: float | None = None
    poor_ms: float | None = None

    def rating(self, ms: float) -> str:
        """`good`, `needs improvement` or `poor` (https://web.dev/articles/vitals); empty where there are no limits."""
        if self.good_ms is None or self.poor_ms is None:
            return ""
        return "good" if ms <= self.good_ms else "poor" if ms > self.poor_ms else "needs improvement"


TTFB = Vital("ttfb_ms", "TTFB", "from the start of a page load until the first byte of the page", 800, 1_800)
FCP = Vital("fcp_ms", "FCP", "until the browser shows anything of the page", 1_800, 3_000)
LCP = Vital("lcp_ms", "LCP", "until the browser shows the largest part of the page", 2_500, 4_000)
INP = Vital("inp_ms", "INP", "from a click until the browser next paints anything", 200, 500)
CONTENT = Vital("content_ms", "Click to content", "from a click until what was asked for is on the screen")
OF_A_PAGE, OF_A_CLICK = (TTFB, FCP, LCP), (INP, CONTENT)
VITALS: Mapping[str, Vital] = {vital.key: vital for vital in (*OF_A_PAGE, *OF_A_CLICK)}


@dataclass(frozen=True)
class Action:
    """Something that a user clicks on, and what is there when it is done. Selectors are those of CSS."""

    name: str
    page: str
    """The path of the page."""
    click: str
    content: str
    """What shows the new content: an element that appears, or whose text changes."""


FULL_PAGE_LOAD, FEEDBACK_FIRST, NOTHING_UNTIL_ANSWER, BLOCKING = (
    Action(name, page="/page?cpu=2&io=20", click=f"#{name.replace(' ', '-')}", content="#day")
    for name in ("full page load", "feedback first", "nothing until answer", "blocking")
)
WIRINGS = (FULL_PAGE_LOAD, FEEDBACK_FIRST, NOTHING_UNTIL_ANSWER, BLOCKING)
"""One button of the lab's own page, wired in four ways."""


@dataclass(frozen=True)
class Click:
    """What came of one click."""

    action: str
    inp_ms: float | None
    """The longest event of the interaction; None where the browser reported none: it took less than the floor."""
    delay_ms: float | None
    """How long the event waited until the page took it up: nothing runs in the page then, so the browser was late."""
    content_ms: float | None
    """None where it was not there within the timeout."""
    content_by: str
    """`element`: Element Timing; `frame`: the frame after it was inserted, which reads 1 to 5 ms lower."""
    interactions: int
    """How many the browser counted: one, unless it lost it."""
    hidden: bool = False
    """Whether the page was hidden meanwhile: a browser paints nothing then."""
    navigated: bool = False
    """Whether the content came with another document."""
    made: bool = True
    """False: the page did not come, or not whole, and there was nothing to click on. It counts as a click without
    content."""

    @classmethod
    def never_made(cls, action: str) -> Click:
        """One that there was no page for."""
        return cls(action, None, None, None, "", interactions=0, made=False)


@dataclass(frozen=True)
class PageLoad:
    """What came of one load of a page. A figure is None where the browser told none."""

    ttfb_ms: float | None = None
    fcp_ms: float | None = None
    lcp_ms: float | None = None
    status: int | None = None
    """Of the answer, where that was an error; None for a page that came, and where nothing was answered."""

    @property
    def came(self) -> bool:
        """Whether it came at all, within the timeout and without an error."""
        return self.ttfb_ms is not None


@dataclass(frozen=True)
class BlockPlan:
    """Some clicks of each action on one server under one background load."""

    server: str
    rate_rps: float
    round: int
    order: int
    actions: tuple[str, ...]
    """In the order in which they are clicked."""
    clicks: int


@dataclass(frozen=True)
class Block:
    """One measured block: a line of blocks.jsonl."""

    plan: BlockPlan
    clicks: tuple[Click, ...] = ()
    pages: tuple[PageLoad, ...] = ()
    served_rps: float | None = None
    """What the server answered per second meanwhile, the background load included; None where nobody knows."""
    foreign_cpu_share: float | None = None
    """The share of the browser's CPUs that others had, neither the browser nor anything else of the lab."""
    took_s: float = 0.0
    died: str | None = None
    void: str | None = None
    """Why the measurement cannot be trusted; None where it can."""
    schema: int = VITALS_SCHEMA

    def to_json(self) -> dict[str, Any]:
        """The block as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Film:
    """What was on the screen after one click, at each of MOMENTS_MS."""

    server: str
    rate_rps: float
    action: str
    frames: tuple[str, ...]
    """JPEG pictures in base64, each once."""
    shown: tuple[int | None, ...]
    """At each moment, which of them; None where there was none yet."""

    def to_json(self) -> dict[str, Any]:
        """The film as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class VitalRow:
    """One figure of one server under one background load."""

    server: str
    rate_rps: float
    action: str
    """Which click; empty for a page load."""
    vital: str
    count: int
    """How many clicks or page loads went into it."""
    failed: int
    """How many of them had not come to their end within the timeout."""
    p50_ms: Interval | None
    p75_ms: Interval | None
    at_most: bool
    """Whether the figure is the floor: the true one is lower."""
    rating: str


@dataclass(frozen=True)
class VitalComparison:
    """Two servers under the same background load, by the ratio a ÷ b over rounds."""

    a: str
    b: str
    rate_rps: float
    action: str
    vital: str
    ratio: Interval | None
    result: Difference


@dataclass(frozen=True)
class VoidBlock:
    """A block that does not count, and why."""

    server: str
    rate_rps: float
    round: int
    reason: str


@dataclass(frozen=True)
class VitalsVerdict:
    """What the browser felt, with every server: vitals.json."""

    engine: str
    workload: str
    rounds: int
    clicks: int
    """Of each action in each block."""
    servers: tuple[str, ...]
    rates_rps: tuple[float, ...]
    actions: tuple[str, ...]
    rows: tuple[VitalRow, ...]
    comparisons: tuple[VitalComparison, ...]
    claims: tuple[Claim, ...]
    void_blocks: tuple[VoidBlock, ...]
    deaths: tuple[VoidBlock, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_a_first_look(self) -> bool:
        """Whether there were fewer clicks than figures need."""
        return self.rounds * self.clicks < ENOUGH_CLICKS

    def row(self, server: str, rate_rps: float, action: str, vital: str) -> VitalRow | None:
        """One figure; None where there is none."""
        wanted = (server, rate_rps, action, vital)
        found = (row for row in self.rows if (row.server, row.rate_rps, row.action, row.vital) == wanted)
        return next(found, None)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        claims = [claim.to_json() for claim in self.claims]
        return {"schema": VITALS_SCHEMA, "command": "vitals", **asdict(self), "claims": claims}
