"""The lesson: docs/lesson.md, its dated samples replaced by what this machine's last run says. Pure.

A sample is a quotation that begins with **Measured** and the name of what is measured: a claim of the verdict,
`patterns` or `shares`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from markdown_it.token import Token
from markupsafe import Markup

from wsgilab.model import words
from wsgilab.model.interval import Interval
from wsgilab.model.verdict import Claim, LoadRow, Verdict
from wsgilab.reports.html import MARKS, lesson_table
from wsgilab.view.documents import Document, in_docs, parsed, rendered
from wsgilab.view.runs import Found
from wsgilab.view.stages import Stages

BEGINNING = "Measured"
PATTERNS, SHARES = "patterns", "shares"

Fill = Callable[[str], Markup | None]
"""What stands in the place of the sample of that name; None: the sample."""


@dataclass(frozen=True)
class Share:
    """Where a server's typical response spent its time at one rate."""

    server: str
    rate_rps: float
    response_ms: Interval
    """The median."""
    in_app_ms: Interval
    """The mean."""

    @property
    def in_app(self) -> float:
        """The share of the response that the app took; of one that was cut off, at most."""
        return min(1.0, self.in_app_ms.value / self.response_ms.value) if self.response_ms.value else 0.0


def lesson(text: str, found: Found | None, stages: Sequence[Stages] = ()) -> Document:
    """The lesson as a page: with `found` filled in, or with its own samples where nothing has been measured.

    `stages`: of that run, where it was recorded.
    """
    tokens = parsed(text, in_docs)
    title = next((after.content for token, after in pairwise(tokens) if token.tag == "h1"), "")
    fill: Fill = partial(measured, found=found, stages=stages) if found else _nothing
    return Document(title, Markup("").join(_filled_in(tokens, fill)), ())


def samples(text: str) -> list[str]:
    """The names of what the text wants measured, in its order."""
    tokens = parsed(text, in_docs)
    return [name for _, _, name in _quotations(tokens) if name]


def measured(name: str, found: Found, stages: Sequence[Stages] = ()) -> Markup | None:
    """What a run says under one name; None where it has nothing of that name."""
    verdict = found.verdict
    if name == PATTERNS:
        return _block(lesson_table(verdict, found.manifest), found, "wide")
    if name == SHARES:
        table = stages_table(stages) if stages else shares_table(list(shares(verdict)))
        return _block(table, found, "wide")
    claim = next((claim for claim in verdict.claims if claim.id == name), None)
    return _block(_claim(claim), found) if claim and not claim.needs else None


def shares(verdict: Verdict) -> Iterator[Share]:
    """For each server and rate of which both times are known: the lowest rate first."""
    for rate in verdict.rates_rps:
        for row in verdict.servers:
            load = row.at(rate)
            if load and (share := _share(row.server, load)):
                yield share


def shares_table(found: Sequence[Share]) -> Markup:
    """The shares as a table."""
    head = ("Server", "Offered", "Median response", "Processing: in the app", "Handling and sending: the rest")
    body = Markup("").join(_share_row(share) for share in found)
    remark = "A run that is recorded (./lab run --prometheus) tells handling from sending."
    return _table(head, body, remark)


def stages_table(found: Sequence[Stages]) -> Markup:
    """The stages as a table."""
    head = ("Server", "Offered", "Mean response", "Request handling", "Processing", "Sending")
    rows = [
        _row(
            one.server,
            words.rps(one.rate_rps),
            words.duration(Interval(one.total_ms)),
            *(
                f"{_percent(part / one.total_ms, '')} ({words.duration(Interval(part))})"
                for part in (one.handling_ms, one.processing_ms, one.sending_ms)
            ),
        )
        for one in found
        if one.total_ms > 0
    ]
    return _table(head, Markup("").join(rows), "Means over the measured seconds, as Prometheus recorded them.")


def _share(server: str, load: LoadRow) -> Share | None:
    median, service = load["p50_ms"], load["service_ms"]
    return Share(server, load.rate_rps, median, service) if median and service else None


def _share_row(share: Share) -> Markup:
    at_most, at_least = ("at most ", "at least ") if share.response_ms.censored else ("", "")
    cells = (
        words.rps(share.rate_rps),
        words.duration(share.response_ms),
        f"{_percent(share.in_app, at_most)} ({words.duration(share.in_app_ms)})",
        _percent(1 - share.in_app, at_least),
    )
    return _row(share.server, *cells)


def _row(server: str, *cells: str) -> Markup:
    return Markup('<tr><th scope="row"><bdi>{}</bdi></th>{}</tr>').format(
        server, Markup("").join(Markup("<td>{}</td>").format(cell) for cell in cells)
    )


def _table(head: Sequence[str], body: Markup, remark: str) -> Markup:
    titles = Markup("").join(Markup('<th scope="col">{}</th>').format(title) for title in head)
    return Markup(
        '<div class="scroll" role="region" tabindex="0" aria-label="Where the time goes"><table class="figures">'
        '<caption class="aside">Where the time of a response goes</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
        '<p class="note">{}</p>'
    ).format(titles, body, remark)


def _percent(share: float, bound: str) -> str:
    """`97 %`, `at least 98 %`; what would round to nothing or to all is told by the bound that it keeps."""
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else f"{bound}{share * 100:.0f} %"


def _claim(claim: Claim) -> Markup:
    return Markup('<p><span class="outcome {}"><span aria-hidden="true">{}</span> {}</span> <bdi>{}</bdi></p>').format(
        claim.result.replace(" ", "-"), MARKS.get(claim.result, "?"), claim.result, words.sentence(claim.evidence)
    )


def _block(content: Markup, found: Found, kind: str = "") -> Markup:
    where = Markup('<p class="note">Measured on this machine: run <a href="/runs/{name}">{name}</a>.</p>').format(
        name=found.name
    )
    return Markup('<blockquote class="measured {}">{}{}</blockquote>').format(kind, content, where)


def _nothing(_name: str) -> Markup | None:
    return None


def _filled_in(tokens: Sequence[Token], fill: Fill) -> Iterator[Markup]:
    """The text in pieces, with every sample replaced for which there is something."""
    done = 0
    for start, end, name in _quotations(tokens):
        content = fill(name) if name else None
        if content is not None:
            yield rendered(tokens[done:start])
            yield content
            done = end
    yield rendered(tokens[done:])


def _quotations(tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """(first token, the one after the last, name of what is measured) of each quotation; an empty name for others."""
    start = 0
    for place, token in enumerate(tokens):
        if token.type == "blockquote_open" and token.level == 0:
            start = place
        if token.type == "blockquote_close" and token.level == 0:
            yield start, place + 1, _name(tokens[start:place])


def _name(quotation: Sequence[Token]) -> str:
    inline = next((token for token in quotation if token.type == "inline"), None)
    children = [child for child in (inline.children if inline else None) or [] if child.content.strip()]
    if len(children) < 2 or children[0].content != BEGINNING or children[1].type != "code_inline":
        return ""
    return children[1].content
