"""A tuning as one HTML file, as self-contained as the report of a run."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from wsgilab.analysis.tuning.contenders import Contender
from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model.manifest import Manifest
from wsgilab.model.verdict import Verdict
from wsgilab.reports import notes, tuning_notes, tuning_tables
from wsgilab.reports.bars import Bar, bar_chart
from wsgilab.reports.colours import MARKERS, Look
from wsgilab.reports.html import HERE, environment, minute
from wsgilab.reports.landscape_chart import landscape_chart
from wsgilab.reports.svg import NARROW, WIDE

CHOSEN, COMPARED = Look("#0072B2", MARKERS["circle"]), Look("#888888", MARKERS["circle"])
MOST_WINDOWS = 600


def render(tuning: Tuning, verdict: Verdict, manifest: Manifest, ready: Mapping[str, str]) -> str:
    """report.html of a tuning. `ready`: the files of `ready_files`."""
    page = environment().get_template("tuning.html.j2")
    return page.render(
        tuning=tuning,
        advice=tuning.advice,
        verdict=verdict,
        ready=ready,
        program=tuning_notes.program(tuning),
        asked=tuning_notes.asked(tuning, verdict),
        took=tuning_notes.took(tuning),
        started=minute(manifest.started_at),
        css=Markup((HERE / "report.css").read_text(encoding="utf-8")),
        problems=verdict.problems,
        voids=tuning_notes.void(verdict, MOST_WINDOWS),
        capacities=_capacities(tuning),
        landscapes=(landscape_chart(tuning, WIDE), landscape_chart(tuning, NARROW)),
        compared=(tuning_tables.COMPARED, tuning_tables.compared(tuning)),
        tried=(tuning_tables.TRIED, tuning_tables.tried(tuning.measured)),
        windows=(tuning_tables.WINDOWS, tuning_tables.windows(tuning)[:MOST_WINDOWS]),
        method=tuning_notes.method(tuning),
        facts=notes.facts(manifest),
    )


def _capacities(tuning: Tuning) -> Markup:
    """Bars of what is recommended and what it is compared with."""
    return bar_chart("Highest offered rate that keeps the objective", [_bar(one) for one in tuning.contenders])


def _bar(contender: Contender) -> Bar:
    point = contender.point
    look = CHOSEN if contender.is_recommended else COMPARED
    return Bar(", ".join(contender.roles), look, point.capacity_rps, tuning_tables.capacity(point))
