"""Tunings of several servers on one page: which of them is the best for this app, and where each has its own report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from wsgilab.analysis.tuning import across
from wsgilab.analysis.tuning.across import Rank
from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.analysis.tuning.phrases import capacity, in_words, megabytes
from wsgilab.model import words
from wsgilab.model.verdict import Verdict
from wsgilab.reports import tuning_notes
from wsgilab.reports.bars import Bar, bar_chart
from wsgilab.reports.html import HERE, environment
from wsgilab.reports.markdown import table
from wsgilab.reports.markup import bold, code, plain
from wsgilab.reports.tuning_html import CHOSEN, COMPARED

COLUMNS = ("Server", "Setting", "Capacity", "The best ÷ it", "Memory", "Report")
NOTHING = "nothing"
REPORT = "report.html"


@dataclass(frozen=True)
class Part:
    """One of the tunings, and its folder as it is reached from the page."""

    tuning: Tuning
    verdict: Verdict
    place: str


def markdown(parts: Sequence[Part]) -> str:
    """report.md of several tunings."""
    return "\n".join(_lines(parts)) + "\n"


def html(parts: Sequence[Part]) -> str:
    """report.html of several tunings."""
    ranks = across.ranked([part.tuning for part in parts])
    return (
        environment()
        .get_template("together.html.j2")
        .render(
            asked=_asked(parts),
            verdict=parts[0].verdict,
            css=Markup((HERE / "report.css").read_text(encoding="utf-8")),
            decided=any(rank.tuning.setting for rank in ranks),
            sentences=_sentences(parts),
            capacities=bar_chart(
                "Highest offered rate that keeps the objective", [_bar(rank, ranks) for rank in ranks]
            ),
            columns=COLUMNS,
            rows=[(*_row(rank), _place(rank, parts)) for rank in ranks],
        )
    )


def _lines(parts: Sequence[Part]) -> Iterator[str]:
    ranks = across.ranked([part.tuning for part in parts])
    first, *others = _sentences(parts)
    yield "# WSGI Lab: which server for this app\n"
    yield f"{bold(first)}\n"
    yield f"{plain(_asked(parts))} Workload {code(parts[0].verdict.workload)}.\n"
    yield from (f"- {plain(sentence)}" for sentence in others)
    yield ""
    yield from table(COLUMNS, [(*_row(rank), f"{_place(rank, parts)}/{REPORT}") for rank in ranks])


def _sentences(parts: Sequence[Part]) -> list[str]:
    """What they come to together; where only one recommends anything, or none, what each says."""
    found = list(across.sentences([part.tuning for part in parts]))
    return found or [f"{tuning_notes.program(part.tuning)}: {part.tuning.advice.answer}" for part in parts]


def _asked(parts: Sequence[Part]) -> str:
    return tuning_notes.asked(parts[0].tuning, parts[0].verdict)


def _row(rank: Rank) -> tuple[str, ...]:
    setting = rank.tuning.setting
    return (
        tuning_notes.program(rank.tuning),
        in_words(setting) if setting else NOTHING,
        capacity(rank.capacity_rps),
        words.full_ratio(rank.ratio) if rank.ratio else words.UNKNOWN,
        megabytes(rank.memory_mb) if rank.memory_mb is not None else words.UNKNOWN,
    )


def _bar(rank: Rank, ranks: Sequence[Rank]) -> Bar:
    look = CHOSEN if rank is ranks[0] and rank.tuning.setting else COMPARED
    return Bar(tuning_notes.program(rank.tuning), look, rank.capacity_rps, capacity(rank.capacity_rps))


def _place(rank: Rank, parts: Sequence[Part]) -> str:
    return next(part.place for part in parts if part.tuning is rank.tuning)
